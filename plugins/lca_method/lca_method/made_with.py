"""What a network was made with: it travels in every checkpoint, and says whether the weights fit."""

from collections.abc import Mapping
from typing import Any

from lca_method.networks.config import LCAConfig
from lca_method.plain_configs import differing_fields, from_text_tensor, plain, text_tensor
from lca_shared.body.compact_body import CompactBody

EXTENSIONS: Mapping[str, str] = {"deformer": "node_head.", "relight": "relight."}
"""What post-training may add to a trained network: fields of ``LCAConfig``, off by default, and how the names of their
weights begin."""
_SWITCHES: Mapping[str, str] = {"deformer": "nodes", "relight": "lobes"}
"""The field of an extension that is 0 where the extension is off, whatever its other fields say."""


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
    weights may differ: how memory is saved, how faces are changed in training, what learns, and sizes of an expression
    encoder that neither has.
    """
    ours, theirs = ({**made, "network": _of_weights(made["network"])} for made in (ours, theirs))
    return differing_fields(ours, theirs, {"network": plain(LCAConfig())})


def with_fresh_extensions(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """A trained model's state, for a model with extensions that it lacks: these stay as they are.

    Args:
        theirs, ours: states of an ``LCAModel``.
    """
    if "made_with" not in theirs:
        return dict(theirs)
    made, wanted, usual = from_text_tensor(theirs["made_with"]), from_text_tensor(ours["made_with"]), plain(LCAConfig())
    for name in EXTENSIONS:
        if made["network"].get(name, usual[name])[_SWITCHES[name]] == 0:  # whichever other fields it knew
            made["network"][name] = wanted["network"][name]
    prefixes = tuple(f"network.{prefix}" for prefix in EXTENSIONS.values())
    fresh = {name: value for name, value in ours.items() if name.startswith(prefixes)}
    return {**fresh, **theirs, "made_with": text_tensor(made)}


def _of_weights(network: Mapping[str, Any]) -> dict[str, Any]:
    transformer, driving = dict(network["transformer"]), dict(network["driving"])
    transformer.pop("checkpointing", None)
    encoder = dict(driving.pop("encoder", {}))
    encoder.pop("augment", None)
    if driving.get("expression") == "code":
        driving["encoder"] = encoder
    relight, deformer = dict(network.get("relight", {})), dict(network.get("deformer", {}))
    for name in ("light_alone", "albedo_steps", "shadow_places", "clothed_shadows"):  # no weights follow from these
        relight.pop(name, None)
    deformer.pop("alone", None)
    if relight.get("lobes") == 0:  # off: nothing was made with its other settings
        relight = {name: relight[name] for name in ("kind", "lobes") if name in relight}
    return {**network, "transformer": transformer, "driving": driving, "relight": relight, "deformer": deformer}
