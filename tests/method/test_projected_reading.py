"""Reference pictures are read where nodes carry a point, as soon as they carry it elsewhere."""

from dataclasses import replace

import pytest
import torch

from lca_method.batch import ReferenceFit, ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.node_head import DeformerConfig
from lca_shared.body import BodyPose, CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project
from lca_shared.skinning import apply_blended, blend_transforms

SIDE = 64


def views(body: CompactBody, bent: float) -> ReferenceViews:
    """Of somebody with bent joints, from in front; a pixel's red and green are its place in the picture."""
    pose = BodyPose.rest(len(body.driven_joints), (1,))
    turns = bent * torch.randn(pose.joint_rotations.shape, generator=torch.Generator().manual_seed(0))
    camera = Cameras(
        look_at(torch.tensor([[0.0, -3.5, 0.0]]), torch.zeros(1, 3)),
        pinhole_intrinsics(1.2 * SIDE, SIDE, SIDE)[None],
        SIDE,
        SIDE,
    )
    place = (torch.arange(SIDE) + 0.5) / SIDE
    image = torch.stack([place.expand(SIDE, SIDE), place[:, None].expand(SIDE, SIDE), torch.zeros(SIDE, SIDE)])
    fit = ReferenceFit(replace(pose, joint_rotations=turns), camera, camera.resized(16, 16))
    whole, no_face = torch.ones(1, 1, SIDE, SIDE), torch.zeros(1, 1, 16, 16)
    return ReferenceViews(image[None], whole, torch.zeros(1, 3, 16, 16), no_face, fit)


def model(config: LCAConfig, body: CompactBody, nodes: int, gate: float = 0.0, cloth: bool = False) -> LCA:
    torch.manual_seed(0)
    deformer = DeformerConfig(nodes=nodes, hidden=8, reach=0.5, joint_steps=20, cloth_surface=cloth)
    network = LCA(replace(config, projected_colors=True, projected_outline=True, deformer=deformer), body)
    if network.node_head is not None:
        leg = body.active.joints.tolist().index(body.joint_names.index("upperleg01.L"))
        network.node_head.last.bias.data[[0, 1 + leg]] = torch.tensor([gate, 8.0])  # one leg carries all it can
    return network.requires_grad_(False)


@pytest.mark.parametrize("cloth", [False, True])
def test_closed_gates_read_what_the_template_reads(config: LCAConfig, body: CompactBody, cloth: bool) -> None:
    plain, nodal = model(config, body, 0), model(config, body, 24, cloth=cloth)
    nodal.load_state_dict(plain.state_dict(), strict=False)
    seen, shape = views(body, 0.5), torch.zeros(len(body.shape_names))
    one, other = (network.read(seen, shape) for network in (plain, nodal))
    assert one.color_logits is not None and other.color_logits is not None
    assert one.start is not None and other.start is not None
    assert torch.equal(one.color_logits, other.color_logits)
    assert torch.equal(one.start.offsets, other.start.offsets)


def test_open_gates_read_where_the_nodes_carry_a_point(config: LCAConfig, body: CompactBody) -> None:
    shape = torch.zeros(len(body.shape_names))
    seen = views(body, 0.5)
    assert seen.fit is not None
    for gate in (0.0, 1.0):
        network = model(config, body, 24, gate)
        read = network.read(seen, shape)
        weights = network.decode(read, shape).weights
        assert weights is not None and read.color_logits is not None
        at = network.point_body
        transforms = at.active_transforms(at.shaped(shape).joints, seen.fit.pose[0])
        surface, camera, found = network.surface_points(shape), seen.fit.cameras[0], read.color_logits.sigmoid()
        blended = blend_transforms(weights, transforms)
        place = project(camera, apply_blended(blended, surface))[0] / SIDE
        towards = torch.nn.functional.normalize((blended[..., :3] @ network.normals[..., None])[..., 0], dim=-1)[:, 1]
        seen_well = (towards < -0.6) & (found[:, 2] < 0.1)  # blue: the fallback
        assert int(seen_well.sum()) > 20
        assert float((found[:, :2] - place)[seen_well].abs().median()) < 0.015
        templates = apply_blended(blend_transforms(at.active_weights, transforms), surface)
        elsewhere = project(camera, templates)[0] / SIDE
        apart = float((found[:, :2] - elsewhere)[seen_well].abs().median())
        assert apart > 0.02 if gate else apart < 0.015
