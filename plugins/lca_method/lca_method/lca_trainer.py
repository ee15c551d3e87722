"""nerfstudio's trainer with whole-or-absent checkpoints, and a resumed run that ends where it was meant to."""

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from nerfstudio.engine.optimizers import AdamOptimizerConfig, Optimizers
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE

from lca_method.checkpoints import latest_checkpoint, load_checkpoint, save_atomically
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig
from lca_shared.errors import UserError


@contextmanager
def user_errors_end_the_command() -> Iterator[None]:
    """Inside an ``ns-*`` command, a :class:`UserError` ends the process with its message and status 1.

    nerfstudio's commands know no such errors and would print a traceback. Elsewhere (a notebook, a test), or with
    ``LCA_DEBUG=1``, the error stays what it is.
    """
    try:
        yield
    except UserError as error:
        if not Path(sys.argv[0]).name.startswith("ns-") or os.environ.get("LCA_DEBUG", "0") == "1":
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


class LCATrainer(Trainer):
    """nerfstudio's trainer, with these differences.

    - A checkpoint is written aside and then renamed: a kill leaves the last whole one.
    - A resumed run (``--load-dir``) stops at ``max_num_iterations``, where the learning rate's schedule ends,
      instead of running that many steps more.
    - A user's error ends ``ns-train`` with one message.
    """

    config: LCATrainerConfig

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
        """The optimisers; schedules without an end of their own end with the training."""
        config = copy.deepcopy(self.config.optimizers)
        for group in config.values():
            schedule = group["scheduler"]
            if isinstance(schedule, WarmupCosineSchedulerConfig) and schedule.max_steps is None:
                schedule.max_steps = self.config.max_num_iterations
        return Optimizers(config, self.pipeline.get_param_groups())

    def train(self) -> None:
        """Train up to ``max_num_iterations``.

        Raises:
            UserError: a picture that cannot be read, a checkpoint that cannot be written.
        """
        planned = self.config.max_num_iterations
        self.config.max_num_iterations = max(0, planned - self._start_step)
        self.step = self._start_step - 1 if self.config.max_num_iterations == 0 else self._start_step
        try:
            with user_errors_end_the_command():
                super().train()
        finally:
            self.config.max_num_iterations = planned

    def _load_checkpoint(self) -> None:
        """Load the named checkpoint, or the last whole one of the named folder, if any is named."""
        path = self.config.load_checkpoint
        if self.config.load_dir is not None:
            path = latest_checkpoint(self.config.load_dir)
            if self.config.load_step is not None:
                path = self.config.load_dir / f"step-{self.config.load_step:09d}.ckpt"
        if path is None:
            CONSOLE.print("No checkpoint to load: training from scratch.")
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
