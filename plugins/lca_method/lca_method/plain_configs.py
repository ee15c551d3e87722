"""Configurations as plain values: in checkpoints, in avatars, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

import torch

from lca_shared.tensors import Tensor, UInt8

Config = TypeVar("Config")


def plain(config: Any) -> Any:
    """A configuration as JSON's plain values, dataclasses with their kind."""
    if is_dataclass(config) and not isinstance(config, type):
        values = {name: plain(getattr(config, name)) for name in asdict(config)}
        return {"kind": type(config).__name__, **values}
    if isinstance(config, Mapping):
        return {str(key): plain(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [plain(value) for value in config]
    return str(config) if isinstance(config, Path) else config


def from_plain(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """The inverse of :func:`plain` for dataclasses; fields that are absent keep their default,
    fields that ``kind`` does not have are left out."""
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(hints[name], value) for name, value in values.items() if name in known})


def _value(hint: Any, value: Any) -> Any:
    choices = [choice for choice in get_args(hint) if choice is not NoneType]
    if isinstance(value, Mapping):
        for choice in (hint, *choices):
            if is_dataclass(choice) and isinstance(choice, type) and choice.__name__ == value.get("kind"):
                return from_plain(choice, value)
    return tuple(_value(None, item) for item in value) if isinstance(value, list) else value


def text_tensor(content: Any) -> UInt8[Tensor, "bytes"]:
    """Plain values as the bytes of their JSON: a tensor travels in every checkpoint."""
    return torch.tensor(list(json.dumps(content, sort_keys=True).encode()), dtype=torch.uint8)


def from_text_tensor(text: UInt8[Tensor, "bytes"]) -> Any:
    """The inverse of :func:`text_tensor`."""
    return json.loads(bytes(text.cpu().tolist()).decode())


def differing_fields(ours: Any, theirs: Any, defaults: Any = None, name: str = "") -> list[str]:
    """Lines ``field: theirs (checkpoint), ours (now)`` for every field in which two plain configurations differ.

    A field that the checkpoint is too old to know counts as equal where ours has the default, which keeps the old
    behaviour.
    """
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        lines = []
        for key in sorted(ours.keys() | theirs.keys()):
            inner = f"{name}.{key}" if name else str(key)
            usual = defaults.get(key) if isinstance(defaults, Mapping) else None
            if key not in theirs and usual is not None and ours[key] == usual:
                continue
            lines += differing_fields(ours.get(key, "absent"), theirs.get(key, "absent"), usual, inner)
        return lines
    return [] if ours == theirs else [f"{name}: {theirs} in the checkpoint, {ours} now"]
