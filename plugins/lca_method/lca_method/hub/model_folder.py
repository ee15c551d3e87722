"""A network as a folder that can be shared: ``config.json`` and ``model.safetensors``. No pickle is written or read.

It reads like a checkpoint of a training run without the optimiser: everything that takes a checkpoint takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lca_method.hub.kinds import CONFIG_FILE, WEIGHTS_FILE
from lca_method.plain_configs import from_plain, plain, text_tensor
from lca_method.run_config import RunSettings
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, check_schema, read_json, write_json
from lca_shared.tensors import Tensor

SCHEMA = ("lca-model", 1)


@dataclass(frozen=True)
class ModelRecord:
    """What ``config.json`` says besides the network's configuration."""

    settings: RunSettings | None = None
    """Of training, which pictures must follow; None: the network was saved alone."""
    method: str = "unknown"
    """Of ``ns-train``."""
    steps: int = 0
    """Trained."""
    averaged: bool = False
    """The weights are the moving average over training."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the card, plain values."""


def write_model(
    folder: Path, state: Mapping[str, Tensor], made_with: Mapping[str, Any], record: ModelRecord, *, half: bool = False
) -> None:
    """Write ``config.json`` and ``model.safetensors``.

    Args:
        folder: made if it is not there.
        state: of the network (``LCA.state_dict()``).
        made_with: as :func:`lca_method.made_with.made_with` says.
        record: where it comes from.
        half: weight matrices as float16; points of the template, biases and norms keep all digits.

    Raises:
        UserError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / WEIGHTS_FILE, state, half=half)
    settings = None if record.settings is None else {**plain(record.settings), "model_dir": None}
    content = {
        "kind_of_file": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "made_with": made_with,
        "settings": settings,
        "method": record.method,
        "steps": record.steps,
        "averaged": record.averaged,
        "weights": "float16" if half else "float32",
        "about": plain(record.about),
    }
    write_json(folder / CONFIG_FILE, content)


def write_weights(path: Path, state: Mapping[str, Tensor], *, half: bool = False) -> None:
    """Write a network's state as safetensors.

    Args: as of :func:`write_model`.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        save_file({name: _stored(name, value, half) for name, value in sorted(state.items())}, temporary)


def _stored(name: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    of_a_layer = "." in name and value.ndim > 1  # names without a dot are the template's sampled points
    return value.half() if half and of_a_layer and value.is_floating_point() else value


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` as plain values.

    Raises:
        UserError: it is missing or broken.
        SchemaError: another release wrote it, or it is something else's.
    """
    content = read_json(folder / CONFIG_FILE)
    check_schema(content, folder / CONFIG_FILE, *SCHEMA)
    if not isinstance(content.get("made_with"), dict) or not {"network", "body"} <= content["made_with"].keys():
        raise UserError(f"{folder / CONFIG_FILE} does not say what the network was made with. Fetch it again.")
    return content


def read_record(folder: Path) -> ModelRecord:
    """What ``config.json`` says besides the network's configuration.

    Raises: as of :func:`read_config`.
    """
    content = read_config(folder)
    given = content.get("settings")
    try:
        return ModelRecord(
            None if given is None else from_plain(RunSettings, given),
            str(content["method"]),
            int(content["steps"]),
            bool(content["averaged"]),
            content.get("about", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder / CONFIG_FILE} is not whole ({error}). Fetch it again.") from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, numbers in float32.

    Raises:
        UserError: it is missing or broken.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is not a readable file of weights ({line}). Fetch it again.") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


def as_checkpoint(weights: Path) -> dict[str, Any]:
    """The folder of a ``model.safetensors`` in the shape of a training run's checkpoint.

    Raises: as of :func:`read_config` and :func:`read_weights`.
    """
    content = read_config(weights.parent)
    state: dict[str, Tensor] = {f"_model.network.{name}": value for name, value in read_weights(weights).items()}
    state["_model.made_with"] = text_tensor(content["made_with"])
    return {"step": int(content.get("steps", 0)) - 1, "pipeline": state, "averaged": bool(content.get("averaged"))}


def state_of(checkpoint: Mapping[str, Any], averaged: bool = True) -> dict[str, torch.Tensor]:
    """The network's state in a checkpoint (see :func:`lca_method.checkpoints.model_state`)."""
    from lca_method.checkpoints import model_state

    state = model_state(checkpoint, averaged)
    return {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
