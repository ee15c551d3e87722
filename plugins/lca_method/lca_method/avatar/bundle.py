"""``NAME.avatar/`` on disk: config.json, avatar.safetensors, a card, a preview. No pickle is read or written.

The folder is all that driving needs. It appears whole or not at all.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lca_method.avatar.avatar import Avatar, AvatarNetworks
from lca_method.avatar.point_body import RigInfo, body_from_tensors, body_tensors
from lca_method.networks.node_skinning import NodeSkinning
from lca_method.plain_configs import from_plain, plain
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.storage import check_schema, read_json, write_json
from lca_shared.tensors import Tensor

SUFFIX = ".avatar"
CONFIG_FILE, TENSORS_FILE, CARD_FILE, PREVIEW_FILE = "config.json", "avatar.safetensors", "README.md", "preview.png"
REFERENCE_FILE = "reference.npz"
"""How the person stood in the pictures, as a motion of one frame a picture."""
SCHEMA = ("avatar", 1)


@dataclass(frozen=True)
class AvatarRecord:
    """Where an avatar comes from; goes into ``config.json`` and onto the card."""

    name: str
    pictures: tuple[str, ...] = ()
    """Names of the pictures it was made from."""
    source_licence: str = "unknown"
    """Of the pictures."""
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    """``sha256``, ``steps``, ``method``, ``data``, ``licence`` of the model that made it."""


@dataclass(frozen=True)
class LoadedAvatar:
    """An avatar and its record."""

    avatar: Avatar
    record: AvatarRecord
    path: Path


def save_avatar(avatar: Avatar, record: AvatarRecord, path: Path, *, overwrite: bool = False) -> None:
    """Write a bundle.

    Args:
        avatar: what to write.
        record: where it comes from.
        path: the folder; its name ends with ``.avatar``.
        overwrite: replace a bundle that is there.

    Raises:
        UserError: ``path`` is called otherwise, exists, or cannot be written.
    """
    if path.suffix != SUFFIX:
        raise UserError(f"{path}: an avatar is a folder whose name ends with {SUFFIX}. Call it {path.name}{SUFFIX}.")
    if path.exists() and not (overwrite and (path / CONFIG_FILE).is_file()):
        way = "Choose another name, or give --overwrite." if (path / CONFIG_FILE).is_file() else "Choose another name."
        raise UserError(f"{path} exists already. {way}")
    folder = path.with_name(f".{path.name}.{os.getpid()}.writing")
    try:
        folder.mkdir(parents=True)
        write_json(folder / CONFIG_FILE, _content(avatar, record))
        save_file({k: v.detach().cpu().contiguous() for k, v in _tensors(avatar).items()}, folder / TENSORS_FILE)
        (folder / CARD_FILE).write_text(card(record, avatar))
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        if path.exists():
            os.rename(path, old)
        os.rename(folder, path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}. Choose a folder you may write to.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def load_avatar(path: str | Path, device: torch.device | str = "cpu") -> LoadedAvatar:
    """Read a bundle.

    Args:
        path: its folder, or ``OWNER/NAME`` or ``OWNER/NAME@REVISION`` on the Hugging Face Hub, which is fetched.
        device: where the avatar goes.

    Raises:
        UserError: it is missing, incomplete or broken, or cannot be fetched.
        SchemaError: another release wrote it.
    """
    if not Path(path).exists():
        from lca_method.hub.kinds import AVATAR  # an avatar that is here starts without
        from lca_method.hub.resolving import resolve

        path = resolve(path, AVATAR).path
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path} is not an avatar: it is no folder. `lca create` makes one.")
    content = read_json(path / CONFIG_FILE)
    check_schema(content, path / CONFIG_FILE, *SCHEMA)
    tensors = _read(path / TENSORS_FILE)
    try:
        networks = from_plain(AvatarNetworks, content["networks"])
        rig = RigInfo(**{f.name: _tupled(content["rig"][f.name]) for f in fields(RigInfo)})
        canonical = Gaussians(**{f.name: tensors[f"canonical_{f.name}"] for f in fields(Gaussians)})
        body = body_from_tensors(_below("body.", tensors), rig)
        carried = _below("nodes.", tensors)
        nodes = NodeSkinning.from_tensors(carried) if carried else None
        relight = None
        if networks.relight.lobes:
            from lca_method.avatar.relight_avatar import relight_from_tensors

            sizes = (networks.relight, networks.heads.hidden, networks.gaussians_per_token)
            relight = relight_from_tensors(tensors, *sizes, rig)
        avatar = Avatar(networks, body, canonical, tensors["token_half"], tensors["shape"], nodes, relight)
        rest = ("body.", "shape", "nodes.", "relight_body.")
        avatar.load_state_dict({name: value for name, value in tensors.items() if not name.startswith(rest)})
        record = AvatarRecord(**{f.name: _tupled(content["record"][f.name]) for f in fields(AvatarRecord)})
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise UserError(f"{path} is not a whole avatar ({_first_line(error)}). Make or fetch it again.") from error
    return LoadedAvatar(avatar.to(device), record, path)


def card(record: AvatarRecord, avatar: Avatar) -> str:
    """The bundle's README: what it is, what made it, and what it may be used for."""
    made = "\n".join(f"- {name}: {value}" for name, value in record.checkpoint.items()) or "- unknown"
    pictures = ", ".join(record.pictures) or "not recorded"
    return f"""# {record.name}

An animatable avatar of a person: {avatar.canonical.count} Gaussians over the body model `{avatar.body.name}`, driven by
{len(avatar.body.driven_joints)} joints, {len(avatar.body.expression_names)} expression coefficients and gaze.

    lca drive {record.name}{SUFFIX} --motion MOTION --output video.mp4

Made from: {pictures} (licence of the pictures: {record.source_licence})

Model that made it:
{made}

It shows a person. Use it only as that person has agreed to.
"""


def _content(avatar: Avatar, record: AvatarRecord) -> dict[str, Any]:
    return {
        "kind_of_file": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "record": asdict(record),
        "networks": plain(avatar.networks),
        "rig": asdict(RigInfo.of(avatar.body)),
        "gaussians": avatar.canonical.count,
    }


def _tensors(avatar: Avatar) -> dict[str, Tensor]:
    body = {f"body.{name}": value for name, value in body_tensors(avatar.body).items()}
    nodes = {} if avatar.nodes is None else {f"nodes.{name}": value for name, value in avatar.nodes.tensors().items()}
    light = {} if avatar.relight is None else avatar.relight.body_tensors()
    return {**avatar.state_dict(), **body, **nodes, **light, "shape": avatar.shape}


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"{path} is missing. Make or fetch the avatar again.")
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is broken ({_first_line(error)}). Make or fetch the avatar again.") from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
