"""Draws people as latents for nerfstudio's trainer."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from nerfstudio.data.datamanagers.base_datamanager import DataManager, DataManagerConfig
from torch.nn import Parameter

from lca_shared.errors import UserError

if TYPE_CHECKING:
    from genlca_method.latents.autoencoder import TokenAutoencoder
    from genlca_method.training.people import FlowPeople


@dataclass
class GenLCADataManagerConfig(DataManagerConfig):
    """What a training step sees."""

    _target: type = field(default_factory=lambda: GenLCADataManager)
    """Target class to instantiate."""
    datasets: tuple[Path, ...] = ()
    """Several folders of token shards of one LCA model instead of --data; who is held out in any of them is evaluated,
    those of the first before the others."""
    people_per_step: int = 16
    """Samples of a step, on each device."""
    eval_people: int = 16
    """Held-out samples in the evaluation's loss, at most."""
    said: float = 1.0
    """Half of the captions that are made from attributes say each thing with this probability alone, so that short
    prompts are learned too; 1 = always everything."""
    scribbled: float = 0.3
    """Probability that a line drawing, made from a part's picture, takes its place."""
    shifted: float = 0.1
    """How far pictures of parts are moved and scaled at most, as a share of their side."""
    seed: int = 0
    """Of the draws."""


class NoPictures:
    """What nerfstudio's viewer places in the scene: nothing; there is data nevertheless."""

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True


class GenLCADataManager(DataManager):
    """Token shards (``--data``) as latents. People in the test split, if there are any, are evaluated and never trained
    on; else the training people are evaluated."""

    config: GenLCADataManagerConfig

    def __init__(
        self,
        config: GenLCADataManagerConfig,
        device: torch.device | str = "cpu",
        test_mode: Literal["test", "val", "inference"] = "val",
        world_size: int = 1,
        local_rank: int = 0,
        **kwargs: Any,
    ) -> None:
        """Args: as of nerfstudio's.

        Raises:
            UserError: ``--data`` and ``datasets`` name no token shards, or some that do not belong together.
        """
        from genlca_method.tokens.several import opened

        self.config, self.device, self.test_mode = config, device, test_mode
        self.world_size, self.local_rank = world_size, local_rank
        folders = config.datasets if config.data is None else (Path(config.data), *config.datasets)
        if not folders:
            raise UserError("Name the folder of token shards with --data (`genlca tokenize` writes it).")
        if config.data is not None and config.datasets:
            raise UserError("Name token shards with --data or with --pipeline.datamanager.datasets, not with both.")
        self.shards = opened(folders)
        self.train_dataset = self.eval_dataset = NoPictures()  # type: ignore[assignment]  # of a scene, for the viewer
        super().__init__()

    def encode_with(self, autoencoder: "TokenAutoencoder", hidden: bool = True) -> None:
        """Say what makes latents of tokens: once, when people are first asked for (a viewer asks for none).

        Args: the autoencoder; whether it is told what is not valid.
        """
        self._encoding = {"autoencoder": autoencoder, "hidden": hidden}  # in a dictionary: no weights of this module

    @cached_property
    def people(self) -> "FlowPeople":
        """Who is trained on, in memory."""
        from genlca_method.training.people import FlowPeople

        return FlowPeople.open(self.shards, ("train",), **self._encoding)

    @cached_property
    def eval_people(self) -> "FlowPeople":
        """Who is evaluated."""
        from genlca_method.training.people import FlowPeople

        splits = ("test", "val")
        return FlowPeople.open(self.shards, splits, **self._encoding) if self.shards.of_split(*splits) else self.people

    @property
    def rank(self) -> int:
        """Number of this process among all, on all machines."""
        initialized = torch.distributed.is_available() and torch.distributed.is_initialized()
        return torch.distributed.get_rank() if initialized else self.local_rank

    def setup_train(self) -> None:
        """Nothing: people are drawn step by step."""

    def setup_eval(self) -> None:
        """Nothing: the first people are evaluated."""

    def next_train(self, step: int) -> tuple[Any, dict[str, Any]]:
        """No rays, and the people of ``step`` under ``flow_batch``."""
        self.train_count += 1
        own = self.config.people_per_step
        batch = self.people.drawn(
            self.config.seed,
            step,
            range(self.rank * own, (self.rank + 1) * own),
            self.config.said,
            self.config.scribbled,
            self.config.shifted,
        )
        return None, {"flow_batch": batch.to(self.device)}

    def next_eval(self, step: int) -> tuple[Any, dict[str, Any]]:
        """The same of the evaluated people; always the first."""
        rows = range(min(self.config.eval_people, len(self.eval_people)))
        return None, {"flow_batch": self.eval_people.batch(rows).to(self.device)}

    def next_eval_image(self, step: int) -> tuple[Any, dict[str, Any]]:
        """As :meth:`next_eval`."""
        return self.next_eval(step)

    def get_train_rays_per_batch(self) -> int:
        """Latents of a step."""
        return self.config.people_per_step * self.shards.info.layout.anchors

    def get_eval_rays_per_batch(self) -> int:
        """Latents of an evaluation step."""
        return self.config.eval_people * self.shards.info.layout.anchors

    def get_datapath(self) -> Path:
        """The folder of shards."""
        return self.shards.root

    def get_param_groups(self) -> dict[str, list[Parameter]]:
        """None: nothing here is learned."""
        return {}
