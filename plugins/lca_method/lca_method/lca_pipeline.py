"""Data manager and model together; also on several processes without CUDA."""

import csv
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.models.base_model import Model
from nerfstudio.pipelines.base_pipeline import Pipeline, VanillaPipeline, VanillaPipelineConfig
from nerfstudio.utils.rich_utils import CONSOLE
from rich.progress import track
from torch.nn.parallel import DistributedDataParallel
from torchvision.utils import save_image

from lca_method.augmentation import AugmentationConfig, augmented
from lca_method.batch import SubjectBatch
from lca_method.checkpoints import model_state, trained_steps
from lca_method.ema import WeightAverage, WeightAverageConfig
from lca_method.lca_datamanager import EvaluationViews, LCADataManager, LCADataManagerConfig
from lca_method.lca_model import LCAModel, LCAModelConfig
from lca_method.lca_trainer import user_errors_end_the_command
from lca_method.lca_viewer import AvatarPanel
from lca_method.made_with import with_fresh_extensions
from lca_method.mirroring import BodyMirror
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Int, Tensor


@dataclass
class LCAPipelineConfig(VanillaPipelineConfig):
    """Data manager and model."""

    _target: type = field(default_factory=lambda: LCAPipeline)
    """Target class to instantiate."""
    datamanager: LCADataManagerConfig = field(default_factory=LCADataManagerConfig)  # type: ignore[assignment]
    """What steps and evaluation see."""
    model: LCAModelConfig = field(default_factory=LCAModelConfig)  # type: ignore[assignment]
    """Networks and losses."""
    average: WeightAverageConfig = field(default_factory=WeightAverageConfig)
    """Moving average of the weights."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Random changes of training pictures; the defaults make none."""


class LCAPipeline(VanillaPipeline):
    """nerfstudio's pipeline, with these differences.

    - It also wraps a model for several processes on CPUs (``gloo``).
    - Training randomness depends on the step alone, so that a resumed run continues as if it had not stopped.
    - Evaluation renders a batch's own subject; per-image figures are written beside the pictures.
    - ``average`` keeps a moving average of the weights, which is what evaluation and viewer show.
    - ``avatar`` holds the viewer's controls.
    """

    config: LCAPipelineConfig
    datamanager: LCADataManager
    average: WeightAverage | None
    steps_before: Int[Tensor, ""]
    """Steps that the weights were trained for before this training began: schedules of the network go on."""

    def __init__(
        self,
        config: LCAPipelineConfig,
        device: torch.device | str,
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        grad_scaler: Any = None,
    ) -> None:
        Pipeline.__init__(self)
        self.config, self.test_mode = config, test_mode
        self.world_size, self.local_rank = world_size, local_rank
        with user_errors_end_the_command():
            if config.augmentation.changes_references and config.model.feature_cache is not None:
                raise UserError(
                    "--pipeline.model.feature-cache keeps features of pictures as they are; --pipeline.augmentation "
                    "changes them at every step. Leave one of the two out."
                )
            self.datamanager = config.datamanager.setup(
                device=device, test_mode=test_mode, world_size=world_size, local_rank=local_rank
            )
            dataset = self.datamanager.train_dataset
            self._model = config.model.setup(
                scene_box=dataset.scene_box,
                num_train_data=len(dataset),
                metadata={"body_model": self.datamanager.reader.dataset.info.body_model},
                device=device,
                grad_scaler=grad_scaler,
            )
            from lca_method.people import check_body  # reads Parquet: not needed by --help

            check_body(
                self.datamanager.reader.dataset.info, cast(CompactBody, self.lca.body), self.datamanager.get_datapath()
            )
        self.mirror = BodyMirror.of(cast(BodyModel, self.lca.body))
        self.lca.to(device)
        self.average = WeightAverage(self.lca.network, config.average) if config.average.decay else None
        self.register_buffer("steps_before", torch.tensor(0))
        self.lca.shown_weights = self.evaluated_weights
        self.avatar = self._make_panel()
        self.lca.show(self.avatar.shown)
        if world_size > 1:
            devices = [local_rank] if torch.device(device).type == "cuda" else None
            wrapped = DistributedDataParallel(self._model, device_ids=devices, find_unused_parameters=True)
            self._model = cast(Model, wrapped)
            dist.barrier()

    @property
    def lca(self) -> LCAModel:
        """The model, unwrapped."""
        return cast(LCAModel, self.model)

    def _make_panel(self) -> AvatarPanel:
        manager = self.datamanager
        people = {frames.subject: frames for frames in [*manager.train_subjects, *manager.eval_subjects]}
        first = manager.eval_subjects[0].subject if manager.eval_subjects else manager.train_subjects[0].subject
        body = cast(BodyModel, self.lca.body)
        return AvatarPanel(manager.reader, people, body, manager.config.eval_references, first)

    def get_train_loss_dict(self, step: int) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Outputs, weighted losses and metrics of a training step; the metric ``loss`` is over all processes."""
        rank = dist.get_rank() if self.world_size > 1 else 0
        torch.manual_seed(hash((self.datamanager.config.seed, step)))  # alike on all: see step_random
        _, batch = self.datamanager.next_train(step)
        batch["subject_batch"] = self._augmented(batch["subject_batch"], rank, step)
        step += int(self.steps_before)
        self.lca.training_step = step
        outputs = self._model(batch["subject_batch"], step)
        losses = self.lca.get_loss_dict(outputs, batch)
        metrics = self.lca.get_metrics_dict(outputs, batch)
        metrics["loss"] = self._over_processes(torch.stack(list(losses.values())).sum())
        return outputs, losses, metrics

    def _augmented(self, batch: SubjectBatch, rank: int, step: int) -> SubjectBatch:
        config, data = self.config.augmentation, self.datamanager.config
        return augmented(batch, config, self.mirror, data.seed, step, first_slot=rank * data.subjects_per_step)

    def _over_processes(self, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Mean over the processes, each of which has as many people."""
        loss = loss.detach().clone()
        if self.world_size > 1:
            dist.all_reduce(loss)
        return loss / self.world_size

    def get_training_callbacks(self, training_callback_attributes: TrainingCallbackAttributes) -> list[Any]:
        """Those of data manager and model, and the average of the weights after each step."""
        callbacks = super().get_training_callbacks(training_callback_attributes)
        if self.average is not None:
            callbacks.append(TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], self._count_weights_in))
        return callbacks

    def _count_weights_in(self, step: int) -> None:
        if self.average is not None:
            self.average.update(self.lca.network, step)

    def finish_training(self, step: int) -> None:
        """Training ends with ``step``: what is measured on training people once it is over."""
        if not self.config.model.losses.code_identity:
            return
        from lca_method.identity_removal import remove_identity

        batches = (self.datamanager.next_train(step + 1 + more)[1]["subject_batch"] for more in range(400))
        with self.evaluated_weights():
            found = remove_identity(self.lca.network, batches)
        CONSOLE.print(
            "Too few faces of training people were seen to find out what in the expression code names its owner."
            if found is None
            else f"{found.taken} directions that name its owner were taken out of the expression code; variance "
            f"between over variance within people: {', '.join(f'{r:.2f}' for r in found.ratios[:4].tolist())}, ..."
        )

    def evaluated_weights(self) -> AbstractContextManager[None]:
        """Inside, the network has the weights that are evaluated and shown: the average, if one is kept."""
        if self.average is None or not self.config.average.evaluate or self.test_mode != "val":
            return nullcontext()  # outside training the average has been put into the network
        return self.average.shown_by(self.lca.network)

    @torch.no_grad()
    def get_eval_loss_dict(self, step: int) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The same for some targets of an evaluated person."""
        self.eval()
        _, batch = self.datamanager.next_eval(step)
        with self.evaluated_weights():
            outputs = self.lca(batch["subject_batch"], step + int(self.steps_before))
        losses = self.lca.get_loss_dict(outputs, batch)
        metrics = self.lca.get_metrics_dict(outputs, batch)
        self.train()
        return outputs, losses, metrics

    def get_eval_image_metrics_and_images(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Metrics and pictures of one evaluated view."""
        self.eval()
        camera, batch = self.datamanager.next_eval_image(step)
        with self.evaluated_weights():
            outputs = self.lca.get_outputs_for_batch(batch["subject_batch"])
        metrics, images = self.lca.get_image_metrics_and_images(outputs, batch)
        metrics["num_rays"] = int(camera.height.flatten()[0] * camera.width.flatten()[0])
        self.train()
        return metrics, images

    def get_average_image_metrics(
        self,
        data_loader: EvaluationViews,
        image_prefix: str,
        step: int | None = None,
        output_path: Path | None = None,
        get_std: bool = False,
    ) -> dict[str, float]:
        """Means over all views; with ``output_path`` also pictures and ``per_image.csv``.

        Raises:
            UserError: there is no view to evaluate.
        """
        with user_errors_end_the_command():
            if not len(data_loader):
                raise UserError(f"{self.datamanager.get_datapath()} has no frames to evaluate in this split.")
        self.eval()
        rows: list[dict[str, Any]] = []
        for _, batch in track(data_loader, "Evaluating", total=len(data_loader), transient=True):
            start = time.perf_counter()
            with self.evaluated_weights():
                outputs = self.lca.get_outputs_for_batch(batch["subject_batch"])
            seconds = time.perf_counter() - start
            metrics, images = self.lca.get_image_metrics_and_images(outputs, batch)
            subject = batch["subject_batch"].ids[0]
            rows.append({"subject": subject, "row": batch["row"], **metrics, "seconds": seconds})
            if output_path is not None:
                output_path.mkdir(parents=True, exist_ok=True)
                for name, image in images.items():
                    path = output_path / f"{image_prefix}_{name}_{subject}_{batch['row']:05d}.png"
                    save_image(image.movedim(-1, 0).cpu(), path)
        if output_path is not None:
            _write_table(rows, output_path / "per_image.csv")
        self.train()
        averages: dict[str, float] = {"images": float(len(rows))}
        for name in [name for name in rows[0] if name not in ("subject", "row")]:
            values = torch.tensor([row[name] for row in rows], dtype=torch.float64)
            averages[name] = float(values.mean())
            if get_std:
                averages[f"{name}_std"] = float(values.std()) if len(rows) > 1 else 0.0
        return averages

    def load_pipeline(self, loaded_state: dict[str, Any], step: int) -> None:
        """Load a checkpoint's pipeline state; outside training the network gets the averaged weights.

        Raises:
            UserError: it was made with another configuration.
        """
        with user_errors_end_the_command():
            super().load_pipeline(loaded_state, step)
        self.lca.update_to_step(step + int(self.steps_before))
        if self.average is None:
            return
        if not any(name.startswith("average.") for name in loaded_state):
            self.average.reset(self.lca.network)
        elif self.test_mode != "val" and self.config.average.evaluate:
            self.average.write_to(self.lca.network)

    def load_pretrained(self, checkpoint: Mapping[str, Any]) -> None:
        """Begin with the weights of another training: the averaged ones, if it kept them.

        Raises:
            UserError: it was made with another configuration.
        """
        with user_errors_end_the_command():
            self.lca.load_state_dict(with_fresh_extensions(model_state(checkpoint), self.lca.state_dict()))
        self.steps_before.fill_(trained_steps(checkpoint))
        self.lca.update_to_step(int(self.steps_before))
        if self.average is not None:
            self.average.reset(self.lca.network)


def _write_table(rows: list[dict[str, Any]], path: Path) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
