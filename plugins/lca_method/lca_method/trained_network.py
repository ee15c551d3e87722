"""A trained model as a plain module, read without nerfstudio: what ``lca`` commands work with.

A checkpoint holds the configuration of its network; the run's ``config.yml`` holds the sizes of the pictures that it
was trained on. That file names Python objects, which nerfstudio makes when it reads it; here it is read as plain values
and nothing is made or run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lca_method.checkpoints import find_checkpoint, load_checkpoint, model_state, trained_steps
from lca_method.networks.config import LCAConfig
from lca_method.plain_configs import differing_fields, from_plain, from_text_tensor, plain
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_method.crops import CropSizes
    from lca_method.networks.lca import LCA
    from lca_shared.body.compact_body import CompactBody


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained model and what it was trained with."""

    network: "LCA"
    """In evaluation mode, without gradients; averaged weights if the training kept them."""
    body: "CompactBody"
    """On the network's device."""
    sizes: "CropSizes"
    """Of the pictures in training."""
    run: Mapping[str, Any]
    """The run's ``config.yml`` as plain values."""
    checkpoint: Path
    steps: int
    """Trained, with those of the checkpoint that training began from."""

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.network.initial_scales.device


def load_network(place: str | Path, device: torch.device | str = "cpu") -> TrainedNetwork:
    """Load a model.

    Args:
        place: a checkpoint file inside the folder of a training run, that folder, or its ``config.yml``.
        device: where the network goes.

    Raises:
        UserError: there is no such checkpoint, its ``config.yml`` is missing, or another release made it.
    """
    from lca_method.crops import CropSizes
    from lca_method.networks.lca import LCA
    from lca_shared.body import get_body_model

    path = find_checkpoint(place)
    run = read_run(run_config(path))
    checkpoint = load_checkpoint(path)
    state = model_state(checkpoint)
    if "made_with" not in state:
        raise UserError(f"{path} holds no LCA model. Name one that `ns-train lca-...` wrote.")
    made_with = from_text_tensor(state["made_with"])
    body = get_body_model(made_with["body"]["name"])
    config = from_plain(LCAConfig, made_with["network"])
    now = {
        "network": plain(config),
        "body": {
            "name": body.name,
            "driven_joints": list(body.driven_joints),
            "shapes": list(body.shape_names),
        },
    }
    defaults = {"network": plain(LCAConfig())}
    if differing := differing_fields(now, made_with, defaults):
        raise UserError(f"Another release made {path}; it cannot be read with this one:\n  " + "\n  ".join(differing))
    network = LCA(config, body)
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    )
    manager = run["pipeline"]["datamanager"]
    sizes = CropSizes(
        manager["image_size"],
        manager["face_size"],
        manager["target_size"],
        manager["crop_margin"],
        manager.get("target_faces", False),
    )
    network = network.to(device).eval().requires_grad_(False)
    return TrainedNetwork(network, body.to(device), sizes, run, path, trained_steps(checkpoint))


def run_config(checkpoint: Path) -> Path:
    """The ``config.yml`` of the run that a checkpoint belongs to.

    Raises:
        UserError: there is none beside it or in the folder above.
    """
    for folder in (checkpoint.parent, checkpoint.parent.parent):
        if (folder / "config.yml").is_file():
            return folder / "config.yml"
    raise UserError(
        f"There is no config.yml beside {checkpoint} or in the folder above. It says how large the pictures were in "
        "training: keep a checkpoint in the folder of its run."
    )


def read_run(path: Path) -> dict[str, Any]:
    """A run's ``config.yml`` as plain values: objects are dictionaries, tuples lists, names of classes strings.

    Raises:
        UserError: the file is not that of a training run of this project.
    """
    import yaml

    class PlainLoader(yaml.SafeLoader):
        pass

    def value(loader: Any, _: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", value)
    try:
        content = yaml.load(path.read_text(), Loader=PlainLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not a readable config.yml ({error}).") from error
    try:
        content["pipeline"]["datamanager"]["crop_margin"]
    except (TypeError, KeyError) as error:
        raise UserError(f"{path} is not the config.yml of an lca-... training.") from error
    return content
