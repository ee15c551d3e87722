"""A frozen image encoder's weights belong to no checkpoint: hooks that leave them out, and put them in again."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA


def drop_frozen_encoder(module: "LCA", state: dict[str, Any], prefix: str, _: Any) -> None:
    """Of ``state_dict``: take a frozen encoder's weights out."""
    if module.image_encoder.frozen:
        for name in [name for name in state if name.startswith(f"{prefix}image_encoder.")]:
            del state[name]


def fill_frozen_encoder(module: "LCA", state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Of ``load_state_dict``: put them in as they are in the module."""
    if module.image_encoder.frozen:
        for name, value in module.image_encoder.state_dict().items():
            state.setdefault(f"{prefix}image_encoder.{name}", value)
