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

    A field that the checkpoint is too old to know counts as equal where ours has the default. What says nothing about
    weights may differ: how memory is saved, how faces are changed in training, and sizes of an expression encoder that
    neither has.
    """
    ours, theirs = ({**made, "network": _of_weights(made["network"])} for made in (ours, theirs))
    return differing_fields(ours, theirs, {"network": plain(LCAConfig())})


def _of_weights(network: Mapping[str, Any]) -> dict[str, Any]:
    transformer, driving = dict(network["transformer"]), dict(network["driving"])
    transformer.pop("checkpointing", None)
    encoder = dict(driving.pop("encoder", {}))
    encoder.pop("augment", None)
    if driving.get("expression") == "code":
        driving["encoder"] = encoder
    return {**network, "transformer": transformer, "driving": driving}
