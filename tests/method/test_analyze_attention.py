"""Weights of attention are those that attention uses; points of the body are where their names say."""

from dataclasses import replace

import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.analysis.attention_maps import last_layer_attention
from lca_method.analysis.attention_places import focus, places_in_views
from lca_method.analysis.attention_sheet import attention_sheet
from lca_method.analysis.body_points import POINTS, place_of, tokens_at
from lca_method.crops import CropReader, CropSizes
from lca_method.networks import LCA
from lca_method.networks.attention import attend, attention_weights
from lca_method.networks.blocks import JointAttentionBlock
from lca_shared.errors import UserError


@pytest.mark.parametrize("hidden", [False, True])
def test_weights_times_values_is_attention(hidden):
    torch.manual_seed(0)
    queries, keys, values = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 7, 8), torch.randn(2, 3, 7, 4)
    valid = torch.rand(2, 7) > 0.4 if hidden else None
    weights = attention_weights(queries, keys, valid)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 3, 5))
    torch.testing.assert_close(weights @ values, attend(queries, keys, values, valid))


def test_a_blocks_weights_reproduce_what_the_block_does():
    """Only the chosen points' part is computed, and it is what the whole block gives them."""
    torch.manual_seed(0)
    block = JointAttentionBlock(16, 2, 2.0, gate_start=1.0, update_images=True)
    for parameter in block.parameters():  # modulations start at zero, where they would not be tested
        torch.nn.init.normal_(parameter, std=0.3)
    geometric, images, condition = torch.randn(2, 6, 16), torch.randn(2, 9, 16), torch.randn(2, 16)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[:, 5:] = False
    chosen = torch.tensor([4, 1])
    weights = block.weights(chosen, geometric, images, condition, valid)
    assert weights.shape == (2, 2, 2, 15) and float(weights.detach()[..., 11:].abs().max()) == 0
    _, (_, _, values), _ = block._joined(geometric, images, condition, valid)
    updated = block.geometric.update(geometric[:, chosen], weights @ values, block.geometric.modulations(condition))
    torch.testing.assert_close(updated, block(geometric, images, condition, valid)[0][:, chosen], atol=1e-5, rtol=1e-4)


def test_points_are_where_their_names_say(body):
    places = {name: place_of(name, body) for name in POINTS}
    for name, place in places.items():
        if name.startswith("left_"):
            mirrored = places[name.replace("left_", "right_")] * torch.tensor([-1.0, 1.0, 1.0])
            torch.testing.assert_close(place, mirrored, atol=5e-3, rtol=0)
            assert place[0] > 0.05
    heights = [float(places[name][2]) for name in ("crown", "nose", "chest", "belly", "left_knee", "left_foot")]
    assert heights == sorted(heights, reverse=True)
    assert places["belly"][1] < places["back"][1] and places["nose"][1] < places["back_of_head"][1]
    of_region = {"nose": "face", "left_hand": "left_hand", "right_foot": "right_foot"}
    for name, region in of_region.items():
        nearest = (body.template_vertices - places[name]).norm(dim=-1).argmin()
        assert body.regions[region][nearest]


def test_an_unknown_point_is_named_with_the_ones_there_are(model, body):
    with pytest.raises(UserError, match=r"'tail'.*nose"):
        tokens_at(model, body, ("tail",))


@pytest.mark.parametrize("background", ["keep", "mask", "drop"])
def test_maps_hold_all_attention_on_pictures(config, body, random_references, background):
    torch.manual_seed(0)
    model = LCA(replace(config, background_tokens=background), body).eval()
    references, shape = random_references((), 3), torch.zeros(len(body.shape_names))
    face_token, body_token = 0, config.placement.tokens - 1
    maps = last_layer_attention(model, references, shape, [face_token, body_token])
    assert maps.body.shape == (2, 3, 4, 4) and maps.face.shape == (2, 3, 2, 2)
    torch.testing.assert_close(maps.body_share, maps.body.sum(dim=(1, 2, 3)))
    assert ((maps.body_share > 0) & (maps.body_share < 1)).all() and 0 < float(maps.face_share[0]) < 1
    assert maps.face[1].isnan().all()  # the last token is none of the face's
    if background != "keep":  # the outermost columns of the pictures show nobody
        assert float(maps.body[..., 0].abs().max()) == 0 and float(maps.body[..., 1:3].min()) > 0
    swapped = replace(references, images=references.images.flip(0), masks=references.masks.flip(0))
    swapped = replace(swapped, face_images=references.face_images.flip(0), face_masks=references.face_masks.flip(0))
    again = last_layer_attention(model, swapped, shape, [face_token, body_token])
    torch.testing.assert_close(again.body, maps.body.flip(1), atol=1e-5, rtol=1e-4)


def test_looking_leaves_no_hook(model, body, random_references):
    last_layer_attention(model.eval(), random_references((), 1), torch.zeros(len(body.shape_names)), [0])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.encoder.modules())


def test_focus_of_even_attention_is_one_and_of_the_place_alone_is_large():
    masks = torch.ones(2, 1, 32, 32)
    places, visible = torch.tensor([[[12.0, 20.0], [0.0, 0.0]]]), torch.tensor([[1.0, 0.0]])
    assert float(focus(torch.full((1, 2, 8, 8), 0.1), masks, places, visible)) == pytest.approx(1.0)
    one = torch.zeros(1, 2, 8, 8)
    one[0, 0, 5, 3] = 1.0  # row 20 / 4, column 12 / 4
    near = int(64 / float(focus(one, masks, places, visible)) + 0.5)
    assert near == 4  # the place is the corner of four patches
    assert float(focus(one.flip(-1), masks, places, visible)) == 0
    assert focus(one, masks, places, torch.zeros(1, 2)).isnan().all()


def test_the_front_is_seen_from_the_front(model, body, one_person):
    """The drawn people turn by 0.3 radians a frame, from 0.8 on the one side; nobody shows the back."""
    dataset = AvatarDataset.open(one_person)
    references = CropReader(dataset, CropSizes(64, 16, 32), 10**7).references("anna", [2, 3])
    shape = dataset.subjects["anna"].shape
    tokens, distances = tokens_at(model, body, ("chest", "back"))
    assert float(distances.max()) < 0.3
    places, visible = places_in_views(model, body, references, shape, tokens)
    assert bool((visible[0] > 0).all()) and not bool((visible[1] > 0).any())
    inside = references.masks[range(2), 0, places[0, :, 1].long(), places[0, :, 0].long()]
    assert bool((inside > 0.5).all())
    maps = last_layer_attention(model.eval(), references, shape, tokens)
    sheet = attention_sheet(["chest", "back"], maps, references, places, visible, cell=48)
    assert sheet.shape[2] == 3 and sheet.dtype.name == "uint8" and sheet.std() > 10
