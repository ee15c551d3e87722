"""What editing needs of an avatar beside what driving needs: its tokens, in a file of its bundle."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Bool, Float, Tensor

PERSON_FILE = "genlca.safetensors"
"""In ``NAME.avatar``."""
SCHEMA_VERSION = "1"


@dataclass(frozen=True)
class TokenPerson:
    """One person as tokens."""

    tokens: Float[Tensor, "anchors channels"]
    """As LCA's heads read them."""
    valid: Bool[Tensor, "anchors"]
    """Anchors of which a picture showed something; all, of a generated person."""
    shape: Float[Tensor, "coefficients"]
    """Of the body model."""


def write_person(person: TokenPerson, bundle: Path, lca: str) -> None:
    """Put tokens into a bundle.

    Args: the person; ``NAME.avatar``, which exists; checksum of the LCA model that the tokens belong to.

    Raises:
        UserError: the file cannot be written.
    """
    tensors = {name: getattr(person, name).detach().cpu().contiguous() for name in ("tokens", "valid", "shape")}
    metadata = {"kind_of_file": "genlca-person", "schema_version": SCHEMA_VERSION, "lca_sha256": lca}
    try:
        with atomic_path(bundle / PERSON_FILE) as temporary:
            save_file(tensors, temporary, metadata)
    except OSError as error:
        raise UserError(f"Cannot write {bundle / PERSON_FILE}: {error.strerror or error}.") from error


def read_person(bundle: Path, lca: str) -> TokenPerson:
    """Tokens of a bundle.

    Args: ``NAME.avatar``; checksum of the LCA model that is to read them.

    Raises:
        UserError: it holds none, they are broken, or another model made them.
    """
    path = bundle / PERSON_FILE
    if not path.is_file():
        raise UserError(
            f"{bundle} holds no tokens to edit. `genlca generate`, `genlca decode` and, for photos, `genlca encode` "
            "write avatars that can be edited."
        )
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            found = file.metadata() or {}
            person = TokenPerson(*(file.get_tensor(name) for name in ("tokens", "valid", "shape")))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is broken ({error}). Make the avatar again.") from error
    if found.get("schema_version") != SCHEMA_VERSION:
        raise UserError(f"{path} was written by another release. Make the avatar again.")
    if found.get("lca_sha256") != lca:
        raise UserError(f"{path} holds tokens of another LCA model than the pipeline's. Use the one that made them.")
    return person


def everywhere(tokens: Float[Tensor, "anchors channels"], shape: Float[Tensor, "coefficients"]) -> TokenPerson:
    """A generated person: every token is meant."""
    return TokenPerson(tokens, torch.ones(len(tokens), dtype=torch.bool, device=tokens.device), shape)
