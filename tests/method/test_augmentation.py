"""A changed picture still shows what its camera sees of its body."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from lca_method.augmentation import (
    AugmentationConfig,
    Look,
    augmented,
    draw_change,
    flipped_references,
    flipped_targets,
    zoomed,
)
from lca_method.batch import FaceViews, ReferenceFit, SubjectBatch, TargetViews
from lca_method.mirroring import BodyMirror, counterparts, mirrored_cameras
from lca_shared.body import BodyPose, CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project

SIDE = 32


def cameras_of(*batch: int, seed: int = 0) -> Cameras:
    generator = torch.Generator().manual_seed(seed)
    eyes = torch.tensor([0.5, -3.0, 0.3]) + 0.3 * torch.randn(*batch, 3, generator=generator)
    intrinsics = pinhole_intrinsics(40.0, SIDE, SIDE).repeat(*batch, 1, 1)
    intrinsics[..., 0, 2] += 2.0
    return Cameras(look_at(eyes, torch.zeros(*batch, 3)), intrinsics, SIDE, SIDE)


@pytest.fixture
def batch(random_references: Callable, random_driving: Callable, body: CompactBody) -> SubjectBatch:
    people, views, targets = 2, 2, 3
    references = random_references((people,), views)
    pose = random_driving((people, views), seed=5).pose
    references = replace(
        references,
        fit=ReferenceFit(
            pose,
            cameras_of(people, views),
            cameras_of(people, views, seed=1),
            torch.rand(people, views, len(body.expression_names)),
            torch.rand(people, views, 4, 4, 2),
        ),
    )
    driving = replace(
        random_driving((people, targets)), joint_confidence=torch.rand(people, targets, len(body.driven_joints))
    )
    images, masks = torch.rand(people, targets, 3, SIDE, SIDE), torch.rand(people, targets, 1, SIDE, SIDE)
    cameras = cameras_of(people, targets)
    faces = FaceViews(images[..., :16, :16], masks[..., :16, :16], cameras, torch.ones(people, targets))
    weights = torch.ones(people, targets)
    seen = TargetViews(images, masks, cameras, driving, weights, torch.ones_like(masks), faces)
    torch.manual_seed(3)
    return SubjectBatch(references, seen, torch.randn(people, len(body.shape_names)), ("anna", "bela"))


def tensors(value) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for name in getattr(value, "__dataclass_fields__", ()) for t in tensors(getattr(value, name))]


def test_flipping_twice_is_identity(batch: SubjectBatch, body: CompactBody) -> None:
    mirror = BodyMirror.of(body)
    targets = flipped_targets(flipped_targets(batch.targets, mirror), mirror)
    references = flipped_references(flipped_references(batch.references, mirror), mirror)
    for found, wanted in ((targets, batch.targets), (references, batch.references)):
        for one, other in zip(tensors(found), tensors(wanted), strict=True):
            torch.testing.assert_close(one, other)
    for names in (mirror.joints, mirror.expressions):
        assert [names[other] for other in names] == list(range(len(names)))
    assert mirror.joints != tuple(range(len(mirror.joints)))


def test_a_flipped_body_projects_to_the_mirrored_pixels(batch: SubjectBatch, body: CompactBody) -> None:
    mirror, targets = BodyMirror.of(body), batch.targets
    flipped = flipped_targets(targets, mirror)
    pair = counterparts([name.replace("_", "") for name in body.joint_names])
    for person in range(2):
        for frame in range(3):
            pixels = []
            for views in (targets, flipped):
                driving = views.driving
                shaped = body.shaped(batch.shape[person], driving.expression[person, frame])
                posed = body.posed(shaped.joints, driving.pose[person, frame])
                skin = body.skinned(shaped, driving.pose[person, frame])
                camera = views.cameras[person, frame]
                pixels.append((project(camera, posed.joints)[0], project(camera, skin)[0]))
            (joints, skin), (flipped_joints, flipped_skin) = pixels
            mirrored = torch.stack([SIDE - joints[:, 0], joints[:, 1]], dim=-1)
            # 4 mm: the template's own two sides differ by some
            torch.testing.assert_close(flipped_joints[list(pair)], mirrored, atol=5e-2, rtol=0)
            mirrored = torch.stack([SIDE - skin[:, 0], skin[:, 1]], dim=-1)
            sample = torch.cdist(flipped_skin[::7], mirrored).amin(dim=-1)
            assert float(sample.max()) < 0.15, "pixels of 32: 9 cm are one"


def test_a_mirrored_camera_is_rigid_and_sees_the_mirrored_point() -> None:
    cameras, points = cameras_of(4), torch.randn(4, 5, 3)
    mirrored = mirrored_cameras(cameras)
    rotation = mirrored.camera_from_world[..., :3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(4, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4))
    there, depth = project(mirrored, points * torch.tensor([-1.0, 1.0, 1.0]))
    here, same_depth = project(cameras, points)
    torch.testing.assert_close(there[..., 0], SIDE - here[..., 0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(there[..., 1], here[..., 1], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(depth, same_depth)
    assert bool((mirrored.intrinsics[:, 0, 0] > 0).all())


@pytest.mark.parametrize("zoom", [(1.0, 0.0, 0.0), (1.2, 0.1, -0.05), (0.8, -0.1, 0.2)])
def test_a_world_point_moves_with_its_pixel(zoom: tuple[float, float, float]) -> None:
    """A smooth dot is drawn where a point projects; after the change it lies where the new camera sees the point."""
    cameras, point = cameras_of(3), torch.tensor([0.1, 0.05, -0.2]).expand(3, 1, 3)
    pixel, _ = project(cameras, point)
    rows, columns = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")

    def dot(at: torch.Tensor) -> torch.Tensor:
        squared = (columns - at[..., 0, None]).square() + (rows - at[..., 1, None]).square()
        return torch.exp(-squared / 8)[:, None]

    drawn = dot(pixel)
    images, masks, valid, moved = zoomed(drawn.expand(-1, 3, -1, -1), drawn, None, cameras, torch.tensor([zoom] * 3))
    seen, _ = project(moved, point)
    centre = torch.stack([(images[:, 0] * grid).sum((1, 2)) / images[:, 0].sum((1, 2)) for grid in (columns, rows)], -1)
    torch.testing.assert_close(centre, seen[:, 0], atol=0.1, rtol=0)
    torch.testing.assert_close(images[:, :1], masks)
    assert bool((valid == 1).all()) == (zoom[0] == 1.0)
    if zoom[0] < 1:
        assert valid[:, :, :, -1].sum() == 0  # what lies beyond the old picture is not known
        assert valid[:, :, 16, 12].min() == 1


def test_a_look_is_one_function_of_colour_and_the_middle_is_identity() -> None:
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(Look(1.0, 1.0, 1.0).applied_to(images), images)
    grey = Look(1.0, 1.0, 0.0).applied_to(images)
    torch.testing.assert_close(grey[:, 0], grey[:, 2])
    assert float(Look(1.2, 1.0, 1.0).applied_to(images).mean()) > float(images.mean())


def test_changes_depend_on_seed_step_and_slot_alone(batch: SubjectBatch, body: CompactBody) -> None:
    config = AugmentationConfig(0.5, (0.9, 1.1), 0.05, 0.2, 0.2, 0.2)
    mirror = BodyMirror.of(body)
    both = augmented(batch, config, mirror, seed=3, step=7)
    second = SubjectBatch(
        replace(batch.references, **{name: getattr(batch.references, name)[1:] for name in PICTURES}, fit=None),
        TargetViews(
            batch.targets.images[1:], batch.targets.masks[1:], batch.targets.cameras[1:],
            replace(batch.targets.driving, pose=batch.targets.driving.pose[1:],
                    expression=batch.targets.driving.expression[1:], joint_confidence=None),
            batch.targets.weights[1:],
        ),
        batch.shape[1:],
    )  # fmt: skip
    alone = augmented(second, config, mirror, seed=3, step=7, first_slot=1)
    torch.testing.assert_close(both.targets.images[1:], alone.targets.images)
    torch.testing.assert_close(both.references.images[1:], alone.references.images)
    assert not torch.equal(both.targets.images, augmented(batch, config, mirror, 3, 8).targets.images)
    assert both.ids == batch.ids
    assert augmented(batch, AugmentationConfig(), mirror, 3, 7) is batch


PICTURES = ("images", "masks", "face_images", "face_masks")


def test_references_and_targets_keep_one_look_unless_asked() -> None:
    config = AugmentationConfig(brightness=0.3)
    same = draw_change(config, np.random.default_rng(0), 2, 3)
    apart = draw_change(replace(config, same_look=False), np.random.default_rng(0), 2, 3)
    assert same.reference_look == same.target_look == apart.target_look != apart.reference_look


def test_rest_pose_is_its_own_mirror_image(body: CompactBody) -> None:
    rest = BodyPose.rest(len(body.driven_joints), (2,))
    for one, other in zip(tensors(BodyMirror.of(body).pose(rest)), tensors(rest), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match="no counterpart"):
        counterparts(["hand.L"])
