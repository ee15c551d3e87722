"""A model that ships with the package (``--model demo``), from a training run on synthetic people alone.

    ns-train lca-pretrain-small --data SYNTHETIC ...
    lca eval --checkpoint RUN --data SYNTHETIC        # its figures go onto the card
    python scripts/make_shipped_model.py RUN --name demo --trained-on "MACHINE"

Weight matrices are written in half precision. The same run gives the same bytes.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tyro

from lca_method.checkpoints import find_checkpoint, load_checkpoint
from lca_method.hub.model_folder import read_record
from lca_method.hub.run_facts import SYNTHETIC, record_of_run
from lca_method.hub.shipped import SHIPPED
from lca_method.hub.staging import CardWords, write_shared_model
from lca_method.trained_network import load_network
from lca_shared.errors import UserError

MOST_BYTES = 40 * 2**20
LICENCE = Path(__file__).resolve().parents[1] / "LICENSE"


@dataclass(frozen=True)
class ShippedModelConfig:
    """Write one of the shipped models from a training run."""

    run: tyro.conf.Positional[Path]
    """Folder of the training run, or a model's folder."""
    name: str
    """Which of ``SHIPPED``."""
    trained_on: str
    """The machine and how long, for the card."""
    output_dir: Path | None = None
    """What is replaced; by default the shipped model's own folder."""


def make(config: ShippedModelConfig) -> None:
    """Write the folder.

    Raises:
        UserError: no model of this name is shipped, the run used people who are not synthetic (or data that is not at
            hand any more), or its model is too large to be shipped.
    """
    if config.name not in SHIPPED:
        raise UserError(f"No model {config.name} is shipped. Name one of {', '.join(SHIPPED)}, or add it to SHIPPED.")
    checkpoint = find_checkpoint(config.run)
    of_folder = checkpoint.suffix == ".safetensors"
    record = read_record(checkpoint.parent) if of_folder else record_of_run(checkpoint, load_checkpoint(checkpoint))
    data = record.about.get("data")
    if not data:
        raise UserError(f"{config.run} does not say what it was trained on.")
    for facts in data:
        if not facts["known"] or not facts["source"].startswith(SYNTHETIC):
            raise UserError(f"{facts['name']} is not known to be synthetic: shipped models are trained on nobody real.")
    output_dir = config.output_dir or SHIPPED[config.name].folder
    words = CardWords(config.name, licence="apache-2.0", trained_on=config.trained_on)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / config.name
        write_shared_model(config.run, folder, words, half=True, results=False)
        shutil.copyfile(LICENCE, folder / "LICENSE")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if size > MOST_BYTES:
            raise UserError(f"{size / 2**20:.1f} MB are too much to ship: {MOST_BYTES / 2**20:.0f} at most.")
        trained = load_network(folder)
        shutil.rmtree(output_dir, ignore_errors=True)
        shutil.copytree(folder, output_dir)
    print(f"Wrote {output_dir} ({size / 2**20:.1f} MB, {trained.steps} steps). Next: lca create PHOTOS")


if __name__ == "__main__":
    try:
        make(tyro.cli(ShippedModelConfig, config=(tyro.conf.OmitArgPrefixes,)))
    except UserError as error:
        sys.exit(f"make_shipped_model: {error}")
