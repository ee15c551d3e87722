"""A model between a run and the model that it was trained from, weight by weight: extensions stay the run's.

    python scripts/between_models.py RUN --base demo --share 0.4 --output FOLDER

After a short post-training on few people, such a model keeps more of what the base could do (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models"). FOLDER is a run's folder: whatever takes a run takes it.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lca_method.checkpoints import CHECKPOINT_FOLDER, find_checkpoint, load_checkpoint, model_state, save_atomically
from lca_method.run_config import run_config
from lca_shared.errors import UserError


@dataclass(frozen=True)
class BetweenConfig:
    """Mix a run with its base."""

    run: Annotated[Path, tyro.conf.Positional]
    """Of ``ns-train``."""
    output: Path
    base: str = "demo"
    """What the run's ``pipeline.model.pretrained`` was."""
    share: float = 0.4
    """Of the run: 0 = the base with the run's extensions, 1 = the run."""


def run(config: BetweenConfig) -> None:
    """Write the folder.

    Raises:
        UserError: a model is missing or broken, they have nothing in common, or the folder is not empty.
    """
    path = find_checkpoint(config.run)
    checkpoint, base = load_checkpoint(path), model_state(load_checkpoint(find_checkpoint(config.base)))
    state, mixed = model_state(checkpoint), 0
    for name, value in state.items():
        other = base.get(name)
        if other is None or not value.is_floating_point():
            continue
        if other.shape != value.shape:
            raise UserError(f"{config.run} was not trained from {config.base}: {name} has another shape.")
        state[name] = (config.share * value + (1 - config.share) * other.to(value)).to(value)
        mixed += 1
    if not mixed:
        raise UserError(f"{config.run} and {config.base} have no weights in common.")
    if config.output.exists() and any(config.output.iterdir()):
        raise UserError(f"{config.output} is not empty.")
    kept = {name: value for name, value in checkpoint["pipeline"].items() if name == "steps_before"}
    pipeline = kept | {f"_model.{name}": value for name, value in state.items()}
    target = config.output / CHECKPOINT_FOLDER / path.name
    save_atomically({**checkpoint, "pipeline": pipeline}, target, config.output / "writing")
    shutil.copy(run_config(path), config.output / "config.yml")
    print(f"Wrote {target}: {mixed} of {len(state)} tensors mixed.")


if __name__ == "__main__":
    try:
        run(tyro.cli(BetweenConfig))
    except UserError as error:
        sys.exit(str(error))
