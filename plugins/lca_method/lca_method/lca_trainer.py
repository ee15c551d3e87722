"""nerfstudio's trainer with whole-or-absent checkpoints, and a resumed run that ends where it was meant to."""

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from nerfstudio.engine.optimizers import AdamOptimizerConfig, Optimizers
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE
from nerfstudio.utils.writer import GLOBAL_BUFFER

from lca_method.checkpoints import (
    check_checkpoint,
    find_checkpoint,
    latest_checkpoint,
    load_checkpoint,
    save_atomically,
)
from lca_method.lca_trainer_optimizers import LayerwiseOptimizers
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig
from lca_method.learning_rates import learning_rate_parts
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_method.lca_pipeline import LCAPipeline


READING_COMMANDS = ("ns-eval", "ns-render", "ns-viewer", "ns-export")
"""nerfstudio's commands that load a trained model."""


@contextmanager
def user_errors_end_the_command() -> Iterator[None]:
    """Inside an ``ns-*`` or ``lca-*`` command, a :class:`UserError` ends the process with its message and status 1.

    nerfstudio's commands know no such errors and would print a traceback. Elsewhere (a notebook, a test), or with
    ``LCA_DEBUG=1``, the error stays what it is.
    """
    try:
        yield
    except UserError as error:
        if not Path(sys.argv[0]).name.startswith(("ns-", "lca-")) or os.environ.get("LCA_DEBUG", "0") == "1":
            raise
        raise SystemExit(f"Error: {error}") from error


@dataclass
class AdamWOptimizerConfig(AdamOptimizerConfig):
    """AdamW: weight decay apart from the gradient."""

    _target: type = torch.optim.AdamW
    weight_decay: float = 0.05


@dataclass
class LCATrainerConfig(TrainerConfig):
    """nerfstudio's training regimen; ``max_num_iterations`` counts from the very first step, also after a resume."""

    _target: type = field(default_factory=lambda: LCATrainer)
    """Target class to instantiate."""
    mixed_precision_dtype: Literal["bfloat16", "float16"] = "bfloat16"
    """Number format of ``mixed_precision``; float16 needs a gradient scaler, which comes with it."""
    layer_decay: float = 1.0
    """Gamma: a part of the encoder learns at gamma^(depth below the decoders) of the learning rate (Section 4). 1 = all
    learn at the same rate, 0 = only the decoders learn; the paper's post-training has 0.65."""
    needs_pretrained: bool = False
    """Refuse to begin without ``pipeline.model.pretrained``: training from scratch would look like post-training."""

    def get_checkpoint_dir(self) -> Path:
        """The run's folder of checkpoints.

        nerfstudio's reading commands ask for it before they build the pipeline, and end with a traceback if there is
        nothing in it; so for them it is checked here.

        Raises:
            SystemExit: in such a command, if there is no whole checkpoint.
        """
        folder = super().get_checkpoint_dir()
        if Path(sys.argv[0]).name in READING_COMMANDS:
            with user_errors_end_the_command():
                check_checkpoint(folder, self.load_step)
        return folder

    def save_config(self) -> None:
        """Write config.yml.

        Raises:
            SystemExit: the folder cannot be written, or ``ns-train`` is asked for several processes without CUDA,
                which it cannot start.
        """
        several = self.machine.num_devices * self.machine.num_machines > 1
        if several and self.machine.device_type == "cpu" and Path(sys.argv[0]).name == "ns-train":
            raise SystemExit("Error: ns-train starts several processes on CUDA alone. Say `lca-train` instead of it.")
        try:
            super().save_config()
        except OSError as error:
            raise SystemExit(
                f"Error: {self.get_base_dir()} cannot be written ({error}). Name a --output-dir."
            ) from error


class LCATrainer(Trainer):
    """nerfstudio's trainer, with these differences.

    - A checkpoint is written aside and then renamed: a kill leaves the last whole one.
    - A resumed run (``--load-dir``) stops at ``max_num_iterations``, where the learning rate's schedule ends,
      instead of running that many steps more.
    - Mixed precision is bfloat16 unless asked otherwise, and also works on a CPU.
    - Parts of the encoder may learn more slowly than the decoders (``layer_decay``).
    - Training may begin with the weights of another run (``pipeline.model.pretrained``) and a fresh optimiser.
    - A user's error ends ``ns-train`` with one message.
    """

    config: LCATrainerConfig
    pipeline: "LCAPipeline"  # type: ignore[assignment]

    def __init__(self, config: LCATrainerConfig, local_rank: int = 0, world_size: int = 1) -> None:
        super().__init__(config, local_rank, world_size)
        self.mixed_precision = config.mixed_precision
        self.use_grad_scaler = config.use_grad_scaler or (
            config.mixed_precision and config.mixed_precision_dtype == "float16"
        )
        self.grad_scaler = torch.amp.GradScaler(self.device.split(":")[0], enabled=self.use_grad_scaler)

    def setup(self, test_mode: Literal["test", "val", "inference"] = "val") -> None:
        """Set up pipeline, optimisers, viewer and writers, and load a checkpoint if one is named.

        Raises:
            UserError: a device, dataset or checkpoint that cannot be used.
        """
        with user_errors_end_the_command():
            if self.device.startswith("cuda") and not torch.cuda.is_available():
                raise UserError("There is no CUDA device. Train on the CPU with `--machine.device-type cpu`.")
            super().setup(test_mode)

    def setup_optimizers(self) -> Optimizers:
        """The optimisers; schedules without an end of their own end with the training.

        Raises:
            UserError: ``layer_decay`` is not between 0 and 1.
        """
        gamma = self.config.layer_decay
        if not 0.0 <= gamma <= 1.0:
            raise UserError(f"--layer-decay is {gamma}; it must be between 0 and 1.")
        config = copy.deepcopy(self.config.optimizers)
        for group in config.values():
            schedule = group["scheduler"]
            if isinstance(schedule, WarmupCosineSchedulerConfig) and schedule.max_steps is None:
                schedule.max_steps = self.config.max_num_iterations
        network = self.pipeline.lca.network
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        parts = {
            group: learning_rate_parts([(names[id(p)], p) for p in parameters], len(network.encoder.layers), gamma)
            for group, parameters in self.pipeline.get_param_groups().items()
        }
        return LayerwiseOptimizers(config, parts)

    def train_iteration(self, step: int) -> Any:
        """A training step, in the number format of ``mixed_precision_dtype`` if precision is mixed."""
        device = self.device.split(":")[0]
        usual = torch.get_autocast_dtype(device)
        torch.set_autocast_dtype(device, getattr(torch, self.config.mixed_precision_dtype))
        try:
            return super().train_iteration(step)
        finally:
            torch.set_autocast_dtype(device, usual)

    def train(self) -> None:
        """Train up to ``max_num_iterations``.

        Raises:
            UserError: a picture that cannot be read, a checkpoint that cannot be written.
        """
        planned = self.config.max_num_iterations
        self.config.max_num_iterations = max(0, planned - self._start_step)
        self.step = self._start_step - 1 if self.config.max_num_iterations == 0 else self._start_step
        GLOBAL_BUFFER.setdefault("step", self.step)  # nerfstudio's log asks for it even where no step is left
        try:
            with user_errors_end_the_command():
                super().train()
        finally:
            self.config.max_num_iterations = planned

    def _after_train(self) -> None:
        with user_errors_end_the_command():
            self.pipeline.finish_training(self.step)
        super()._after_train()

    def _load_checkpoint(self) -> None:
        """Load the named checkpoint, or the last whole one of the named folder, if any is named."""
        path = self.config.load_checkpoint
        if self.config.load_dir is not None:
            path = latest_checkpoint(self.config.load_dir)
            if self.config.load_step is not None:
                path = self.config.load_dir / f"step-{self.config.load_step:09d}.ckpt"
        if path is None:
            pretrained = self.pipeline.config.model.pretrained
            if pretrained is None and self.config.needs_pretrained:
                raise UserError(
                    f"{self.config.method_name} trains a model further: name its run, config.yml or checkpoint with "
                    "--pipeline.model.pretrained (or train from scratch with an lca-pretrain method)."
                )
            if pretrained is None:
                CONSOLE.print("No checkpoint to load: training from scratch.")
            else:
                path = find_checkpoint(pretrained)
                self.pipeline.load_pretrained(load_checkpoint(path))
                CONSOLE.print(f"Training begins with the weights of {path}.")
            return
        state = load_checkpoint(path)
        self.pipeline.load_pipeline(state["pipeline"], state["step"])
        self.optimizers.load_optimizers(state["optimizers"])
        if "schedulers" in state and self.config.load_scheduler:
            self.optimizers.load_schedulers(state["schedulers"])
        self.grad_scaler.load_state_dict(state["scalers"])
        self._start_step = state["step"] + 1
        CONSOLE.print(f"Loaded {path}: continuing with step {self._start_step}.")

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write ``step-<step>.ckpt`` atomically, then remove older ones if ``save_only_latest_checkpoint``.

        Raises:
            UserError: the file cannot be written.
        """
        path = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        state = {
            "step": step,
            "pipeline": self.pipeline.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.optimizers.items()},
            "schedulers": {name: scheduler.state_dict() for name, scheduler in self.optimizers.schedulers.items()},
            "scalers": self.grad_scaler.state_dict(),
        }
        save_atomically(state, path, scratch=self.base_dir / "checkpoint.part")
        if self.config.save_only_latest_checkpoint:
            for other in self.checkpoint_dir.glob("step-*.ckpt"):
                if other != path:
                    other.unlink()
