"""Where nodes may act: pictures that show background between the legs say that there is no cloth."""

import pytest
import torch

from lca_method.batch import ReferenceFit
from lca_method.networks.joined_legs import FIRST, joined_legs, legs_heights
from lca_shared.body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project

SIZE = 128


def seen_by(views: int, target: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Cameras:
    eye = torch.tensor([[0.0, -4.0, 0.0]]).repeat(views, 1)
    middle = torch.tensor([target]).repeat(views, 1)
    return Cameras(look_at(eye, middle), pinhole_intrinsics(130.0, SIZE, SIZE).repeat(views, 1, 1), SIZE, SIZE)


def asked(body: CompactBody, masks: torch.Tensor, cameras: Cameras) -> torch.Tensor:
    """The template's joints, as every view shows them, and its vertices as the points asked about."""
    views = len(masks)
    still = torch.zeros(views, 3)
    pose = BodyPose(torch.zeros(views, len(body.driven_joints), 3), still, still, torch.zeros(views, 2, 2))
    fit = ReferenceFit(pose, cameras, cameras)
    joints = body.template_joints.float().expand(len(masks), -1, -1)
    return joined_legs(joints, masks, fit, body, body)


def row_of(body: CompactBody, name: str, cameras: Cameras) -> int:
    place = body.template_joints[body.joint_names.index(name)].float()
    return round(float(project(cameras, place.expand(len(cameras.world_centers()), 1, 3))[0][0, 0, 1]))


def test_heights_are_zero_above_hips_one_at_knees_two_below_feet(body: CompactBody) -> None:
    heights = legs_heights(body, body)
    z = body.template_vertices[:, 2]
    hip, knee, foot = (
        float(body.template_joints[body.joint_names.index(f"{name}.L"), 2])
        for name in ("upperleg01", "lowerleg01", "foot")
    )
    assert float(heights[z > hip].abs().max()) == 0.0
    assert float(heights[z < foot].min()) == 2.0
    near = (z - knee).abs() < 0.01
    assert float((heights[near] - 1).abs().max()) < 0.05


def test_somebody_who_hides_the_middle_in_every_view_may_wear_a_skirt(body: CompactBody) -> None:
    assert torch.equal(asked(body, torch.ones(8, 1, SIZE, SIZE), seen_by(8)), torch.ones(len(body.template_vertices)))


@pytest.mark.parametrize(
    ("views", "gaps", "least", "most"), [(8, 8, 0, 0), (8, 1, 0, 0), (80, 1, 1, 1), (16, 1, 0.1, 0.9)]
)
def test_one_view_in_eight_that_shows_background_there_is_enough(
    body: CompactBody, views: int, gaps: int, least: float, most: float
) -> None:
    masks = torch.ones(views, 1, SIZE, SIZE)
    masks[:gaps, :, :, SIZE // 2 - 8 : SIZE // 2 + 8] = 0.0
    found = asked(body, masks, seen_by(views))
    assert least <= float(found.min()) <= float(found.max()) <= most


def test_a_hem_ends_it_and_nothing_below_begins_it_again(body: CompactBody) -> None:
    cameras = seen_by(8)
    knee, foot = (row_of(body, name, cameras) for name in ("lowerleg01.L", "foot.L"))
    masks = torch.ones(8, 1, SIZE, SIZE)
    masks[:, :, knee : (knee + foot) // 2] = 0.0  # the feet stand before something else
    found, heights = asked(body, masks, cameras), legs_heights(body, body)
    assert float(found[heights < 0.9].min()) == 1.0
    assert float(found[heights > 1.3].max()) == 0.0
    order = heights.argsort()
    assert float(found[order].diff().max()) <= 0.0


def test_a_view_that_does_not_show_the_legs_says_nothing(body: CompactBody) -> None:
    masks = torch.zeros(8, 1, SIZE, SIZE)
    found = asked(body, masks, seen_by(8, target=(0.0, -4.0, 30.0)))
    assert float(found.min()) == 1.0
    assert 0 < FIRST < 1
