"""A trained model and held-out people of any dataset, from the folder of a training run."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from lca_method.checkpoints import find_checkpoint, load_checkpoint, model_state, trained_steps
from lca_method.lca_datamanager import LCADataManager
from lca_method.lca_model import LCAModel
from lca_shared.errors import UserError
from lca_shared.storage import read_json


@dataclass(frozen=True)
class Trained:
    """A model as it was left by training."""

    model: LCAModel
    config: Any
    """The run's ``LCATrainerConfig``."""
    checkpoint: Path

    def people_of(self, data: Path, references: int, targets: int, max_people: int) -> LCADataManager:
        """The data manager that ``ns-eval`` would use, on the held-out people of another dataset.

        Args:
            data: the dataset.
            references: reference views of a person.
            targets: pictures of a person, spread evenly; -1 for all.
            max_people: the first so many people; -1 for all.

        Raises:
            UserError: it is not a dataset, or nobody in it can be evaluated.
        """
        config = copy.deepcopy(self.config.pipeline.datamanager)
        config.data, config.dataparser = data, _dataparser(data)
        config.eval_references, config.eval_targets_per_subject = references, targets
        config.target_faces = config.target_faces or self.config.pipeline.model.network.driving.expression == "code"
        if hasattr(config, "datasets"):
            config.datasets, config.weights = (), ()
        manager = config.setup(device=self.model.device, test_mode="test")
        if max_people >= 0:
            manager.eval_draws = manager.eval_draws[:max_people]
        if not manager.eval_draws:
            raise UserError(f"{data} has nobody to evaluate: no held-out people and no held-out frames.")
        return manager


def load_trained(place: Path, device: torch.device) -> Trained:
    """Read a model from a run's folder, its ``config.yml``, or a checkpoint inside it.

    ``config.yml`` is nerfstudio's: reading it runs what it names, so name runs of your own only.

    Raises:
        UserError: there is no checkpoint or no ``config.yml`` beside it, or they do not fit.
    """
    checkpoint = find_checkpoint(place)
    path = checkpoint.parent.parent / "config.yml"
    if not path.is_file():
        raise UserError(f"{path} is missing: {checkpoint} needs the config.yml that ns-train wrote above it.")
    config = yaml.load(path.read_text(), Loader=yaml.Loader)
    state = load_checkpoint(checkpoint)
    model = config.pipeline.model.setup(scene_box=None, num_train_data=0, metadata={"body_model": "anny"})
    model.load_state_dict(model_state(state))
    model.update_to_step(trained_steps(state) - 1)
    return Trained(model.to(device).eval(), config, checkpoint)


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dataparser(data: Path) -> Any:
    from nerfstudio.configs.dataparser_configs import all_dataparsers

    kind = "wild"
    if (data / "dataset.json").is_file():
        kind = read_json(data / "dataset.json").get("kind", "wild")
    config = copy.deepcopy(all_dataparsers[f"lca-{kind}"])
    config.data = data
    return config
