"""What a network was made with: it travels in every checkpoint, and says whether the weights fit."""

from collections.abc import Mapping
from typing import Any

from lca_method.networks.config import LCAConfig
from lca_method.plain_configs import differing_fields, plain
from lca_shared.body.compact_body import CompactBody


def made_with(config: LCAConfig, body: CompactBody) -> dict[str, Any]:
    """Configuration of the networks, and the names in the body model that their inputs follow, as plain values."""
    names = {
        "name": body.name,
        "driven_joints": list(body.driven_joints),
        "shapes": list(body.shape_names),
    }
    return {"network": plain(config), "body": names}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """A line for each field in which a checkpoint (``theirs``) differs; none: its weights fit.

    A field that the checkpoint is too old to know counts as equal where ours has the default.
    """
    return differing_fields(ours, theirs, {"network": plain(LCAConfig())})
