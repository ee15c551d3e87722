"""A checkpoint without a post-training extension begins the training of a model with one."""

from dataclasses import replace
from typing import Any

import torch

from lca_method.made_with import EXTENSIONS, differences, made_with, with_fresh_extensions
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.node_head import DeformerConfig
from lca_method.plain_configs import from_text_tensor, plain, text_tensor
from lca_shared.body import CompactBody


def state(network: LCA, config: LCAConfig, body: CompactBody) -> dict[str, Any]:
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    return {**weights, "made_with": text_tensor(made_with(config, body))}


def test_extensions_are_off_by_default_and_named_as_their_weights(config: LCAConfig, body: CompactBody) -> None:
    plain_names = set(LCA(config, body).state_dict())
    assert not any(name.startswith(tuple(EXTENSIONS.values())) for name in plain_names)
    assert set(EXTENSIONS) <= set(plain(LCAConfig()))


def test_what_a_checkpoint_lacks_starts_fresh(config: LCAConfig, body: CompactBody) -> None:
    garment = replace(config, deformer=DeformerConfig(nodes=8, hidden=8))
    old, new = LCA(config, body), LCA(garment, body)
    theirs, ours = state(old, config, body), state(new, garment, body)
    begun = with_fresh_extensions(theirs, ours)
    made = [from_text_tensor(each["made_with"]) for each in (ours, begun, theirs)]
    assert differences(made[0], made[1]) == []
    assert differences(made[0], made[2])  # without it the checkpoint is refused
    assert begun.keys() == ours.keys()
    name = "network.canonical_head.colors.bias"
    assert torch.equal(begun[name], theirs[name])
    name = "network.node_head.last.weight"
    assert torch.equal(begun[name], ours[name])
    older = dict(from_text_tensor(theirs["made_with"]))  # of a release that knew no such field
    switched_off = older["network"].pop("deformer")
    again = with_fresh_extensions({**theirs, "made_with": text_tensor(older)}, ours)
    assert differences(made[0], from_text_tensor(again["made_with"])) == []
    switched_off.pop("reach")  # of a release whose extension had fewer settings
    older["network"]["deformer"] = switched_off
    again = with_fresh_extensions({**theirs, "made_with": text_tensor(older)}, ours)
    assert differences(made[0], from_text_tensor(again["made_with"])) == []


def test_an_extension_that_differs_is_refused(config: LCAConfig, body: CompactBody) -> None:
    two, three = (replace(config, deformer=DeformerConfig(nodes=n, hidden=8)) for n in (8, 9))
    begun = with_fresh_extensions(state(LCA(two, body), two, body), state(LCA(three, body), three, body))
    assert differences(made_with(three, body), from_text_tensor(begun["made_with"]))
    off = with_fresh_extensions(state(LCA(two, body), two, body), state(LCA(config, body), config, body))
    assert differences(made_with(config, body), from_text_tensor(off["made_with"]))
