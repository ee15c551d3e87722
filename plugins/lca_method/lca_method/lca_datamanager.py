"""Draws subjects, reference views and target views for nerfstudio's trainer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
import tyro
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.configs.dataparser_configs import all_dataparsers
from nerfstudio.data.datamanagers.base_datamanager import DataManager, DataManagerConfig
from nerfstudio.data.dataparsers.base_dataparser import DataParserConfig
from nerfstudio.data.datasets.base_dataset import InputDataset
from torch.nn import Parameter

from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_method.batch import SubjectBatch, moved_to, stacked
from lca_method.lca_datamanager_datasets import open_datasets, reader_of, sampler_of
from lca_method.lca_datamanager_pictures import pictures_to_show
from lca_method.prefetch import StepPrefetcher
from lca_method.sampling import Draw, evaluation_draws
from lca_shared.cameras import Cameras, to_nerfstudio
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import Subject

    AvatarDataParserUnion = DataParserConfig
else:
    AvatarDataParserUnion = tyro.conf.OmitSubcommandPrefixes[
        tyro.extras.subcommand_type_from_defaults(
            {name: config for name, config in all_dataparsers.items() if name.startswith("lca-")}, prefix_names=False
        )
    ]
"""The dataparsers that know bodies: ``ns-train lca-pretrain --data D lca-wild ...``."""


@dataclass
class LCADataManagerConfig(DataManagerConfig):
    """What a training step and an evaluation see."""

    _target: type = field(default_factory=lambda: LCADataManager)
    """Target class to instantiate."""
    dataparser: AvatarDataParserUnion = field(default_factory=LCAWildDataParserConfig)
    """The dataset's kind."""
    datasets: tuple[Path, ...] = ()
    """Several datasets to mix instead of --data: folders or shards, wild or studio."""
    weights: tuple[float, ...] = ()
    """How often each of them is drawn from, in proportion; empty = alike."""
    balance: Literal["subjects", "frames"] = "subjects"
    """Each person equally likely however many frames there are, or in proportion to the frames."""
    reading: Literal["random", "stream"] = "random"
    """Of shards: single pictures from their places (local disks), or whole blocks of pictures in the order in which
    they lie (network and slow disks), used in random order within a window."""
    stream_window: int = 16
    """Blocks of pictures in a window of a stream: its shuffle buffer, for each person of a step."""
    image_size: int = 512
    """Side of the square whole-body reference crops, pixels."""
    face_size: int = 256
    """Side of the square head crops of the references, pixels."""
    target_size: int = 512
    """Side of the square target crops, pixels."""
    target_faces: bool = False
    """Also cut the heads of the targets: needed by a learned expression code and by the loss on faces."""
    target_lights: int = 0
    """Also give the lights of the targets, so many at most; 0 = none. With lights, references are evenly lit frames."""
    crop_margin: float = 0.05
    """Added around the person on each side, as a fraction of the person's longer side."""
    subjects_per_step: int = 1
    """People in one step (on each device)."""
    references: tuple[int, int] = (1, 8)
    """Fewest and most reference frames of a person; the number is drawn anew at each step."""
    targets_per_step: int = 4
    """Target frames of each person in one step."""
    target_views_per_moment: int = 1
    """Of a studio: so many targets in turn show one moment through different cameras."""
    eval_references: int = 8
    """Reference frames of a person in evaluation."""
    eval_targets_per_subject: int = -1
    """Target frames of a person in evaluation, spread evenly; -1 for all."""
    eval_subjects: int = 256
    """People in evaluation at most, evenly chosen from each dataset; -1 for all."""
    cache_megabytes: int = 2048
    """Memory for decoded crops."""
    prefetch_steps: int = 2
    """Steps made ahead in the background; 0 makes each when it is asked for."""
    prefetch_workers: int = 1
    """Background threads that decode and crop."""
    seed: int = 0
    """Of the draws; a step's draw depends on this, the step and the number of people in it (on all devices) alone."""


class LCADataManager(DataManager):
    """Draws a subject, some reference frames of it, and other frames as targets.

    ``next_train`` and ``next_eval`` return the first target's camera and a dictionary whose ``subject_batch`` is a
    :class:`~lca_method.batch.SubjectBatch` with one leading axis (subjects). The single-image functions add
    ``image`` [height, width, 3] and ``mask`` [height, width, 1] of their one target, as nerfstudio expects.
    """

    config: LCADataManagerConfig
    train_dataset: InputDataset
    eval_dataset: InputDataset

    def __init__(
        self,
        config: LCADataManagerConfig,
        device: torch.device | str = "cpu",
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        **kwargs: Any,
    ) -> None:
        self.config, self.device, self.test_mode = config, device, test_mode
        self.world_size, self.local_rank = world_size, local_rank
        if config.data is not None:
            config.dataparser.data = Path(config.data)
        if config.datasets:
            config.dataparser.data = config.datasets[0]
        config.data = config.dataparser.data
        opened = open_datasets(config, "val" if test_mode == "val" else "test")
        self.dataparser, parts = opened.dataparser, opened.people
        self.train_dataparser_outputs, self.eval_dataparser_outputs = opened.train, opened.held_out
        self.train_subjects = [frames for part in parts.values() for frames in part.train]
        self.eval_subjects = [frames for part in parts.values() for frames in part.evaluated]
        self.eval_draws = evaluation_draws(self.eval_subjects, config.eval_references, config.eval_targets_per_subject)
        self.reader = reader_of(config, parts)
        self.sampler = sampler_of(config, parts, world_size)
        self.train_dataset = pictures_to_show(self.train_dataparser_outputs)
        self.eval_dataset = pictures_to_show(self.eval_dataparser_outputs)
        super().__init__()
        self.includes_time = True  # the viewer's time is the place in the chosen subject's recording
        self._prefetcher = StepPrefetcher(self.draw_batch, config.prefetch_steps, config.prefetch_workers)

    @property
    def rank(self) -> int:
        """Number of this process among all, on all machines."""
        initialized = torch.distributed.is_available() and torch.distributed.is_initialized()
        return torch.distributed.get_rank() if initialized else self.local_rank

    def setup_train(self) -> None:
        """Nothing: batches are drawn step by step."""

    def setup_eval(self) -> None:
        """Nothing: what is evaluated is fixed when the data manager is made."""

    def draw_batch(self, step: int) -> SubjectBatch:
        """This device's part of the training batch of ``step``, on the CPU, with one leading axis (subjects).

        A step is drawn as a whole and then shared out, so that two devices see together what one would have seen with
        twice the people a step.
        """
        own = self.config.subjects_per_step
        drawn = self.sampler.draw(step, range(self.rank * own, (self.rank + 1) * own))
        return stacked([self._batch(person, draw, draw.targets) for person, draw in drawn])

    def _batch(self, person: "str | Subject", draw: Draw, targets: Sequence[int]) -> SubjectBatch:
        """One person's part of a batch."""
        if self.config.target_lights:
            from lca_method.stage_light import evenly_lit

            opened = self.reader.opened(person)
            draw = evenly_lit(opened.lights, opened.frames["light_pattern"].tolist(), draw)
        return self.reader.batch(person, draw.references, targets, draw.subject)

    def next_train(self, step: int) -> tuple[NerfstudioCameras, dict[str, Any]]:
        """The training batch of ``step``."""
        self.train_count += 1
        return self._on_device(self._prefetcher.get(step))

    def next_eval(self, step: int) -> tuple[NerfstudioCameras, dict[str, Any]]:
        """Some targets of one evaluated person, for the losses; people take turns."""
        self._check_eval()
        draw = self.eval_draws[self.eval_count % len(self.eval_draws)]
        self.eval_count += 1
        targets = draw.targets[: self.config.targets_per_step]
        return self._on_device(stacked([self._batch(draw.subject, draw, targets)]))

    def next_eval_image(self, step: int) -> tuple[NerfstudioCameras, dict[str, Any]]:
        """One target to evaluate; targets take turns."""
        self._check_eval()
        targets = [(draw, row) for draw in self.eval_draws for row in draw.targets]
        draw, row = targets[self.eval_count % len(targets)]
        self.eval_count += 1
        return self._single(draw, row)

    def _check_eval(self) -> None:
        if not self.eval_draws:
            raise UserError(
                f"{self.get_datapath()} has no frames to evaluate. Hold somebody out (`split` in subject.json), or "
                "train without evaluation: --steps-per-eval-batch 0 --steps-per-eval-image 0."
            )

    @property
    def fixed_indices_eval_dataloader(self) -> "EvaluationViews":
        """Every target to evaluate, person by person."""
        return EvaluationViews(self)

    def evaluation_batch(self, draw: Draw, row: int) -> SubjectBatch:
        """References of ``draw`` and one target, on the CPU, with one leading axis (subjects)."""
        return stacked([self._batch(draw.subject, draw, [row])])

    def _single(self, draw: Draw, row: int) -> tuple[NerfstudioCameras, dict[str, Any]]:
        camera, content = self._on_device(self.evaluation_batch(draw, row))
        content["image"] = content["subject_batch"].targets.images[0, 0].movedim(0, -1)
        content["mask"] = content["subject_batch"].targets.masks[0, 0].movedim(0, -1)
        content["references"], content["row"] = draw.references, row
        return camera, content

    def _on_device(self, batch: SubjectBatch) -> tuple[NerfstudioCameras, dict[str, Any]]:
        batch = moved_to(batch, self.device)
        return nerfstudio_cameras(batch.targets.cameras[:1, 0]), {"subject_batch": batch}

    def get_train_rays_per_batch(self) -> int:
        """Pixels of a training step."""
        config = self.config
        return config.subjects_per_step * config.targets_per_step * config.target_size**2

    def get_eval_rays_per_batch(self) -> int:
        """Pixels of an evaluation step."""
        return self.config.targets_per_step * self.config.target_size**2

    def get_datapath(self) -> Path:
        """The folder of the dataset, or of the first of several."""
        return Path(self.train_dataparser_outputs.metadata["dataset_root"])

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """None: nothing here is learned."""
        return {}


class EvaluationViews:
    """Iterates over every target to evaluate as ``(camera, batch)``."""

    def __init__(self, datamanager: LCADataManager) -> None:
        self._datamanager = datamanager

    def __len__(self) -> int:
        return sum(len(draw.targets) for draw in self._datamanager.eval_draws)

    def __iter__(self) -> Iterator[tuple[NerfstudioCameras, dict[str, Any]]]:
        for draw in self._datamanager.eval_draws:
            for row in draw.targets:
                yield self._datamanager._single(draw, row)


def nerfstudio_cameras(cameras: Cameras) -> NerfstudioCameras:
    """Our cameras (one batch axis) as nerfstudio's."""
    return NerfstudioCameras(**to_nerfstudio(cameras))
