"""Our body in the place of MHR bodies: of our own surface, which must be found again, and of real fits."""

from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
import torch

from lca_dataparsers.studio_fit.from_mhr import PARTNERS, fit_to_mhr
from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.mhr import CENTIMETRE, JOINTS
from lca_shared.body.smplx import OURS_FROM_SMPLX as OURS_FROM_MHR


@pytest.mark.slow
def test_a_surface_of_our_own_is_found_again() -> None:
    body = get_body_model("anny")
    random = torch.Generator().manual_seed(4)
    shape = 0.6 * torch.randn(len(body.shape_names), generator=random)
    rotations = torch.zeros(2, len(body.driven_joints), 3)
    for name, turn in (("upperarm01.L", 0.6), ("lowerarm01.R", 0.5), ("upperleg01.L", -0.5), ("lowerleg01.L", 0.6)):
        rotations[1, body.driven_joints.index(name), 0] = turn
    pose = BodyPose(
        rotations,
        torch.tensor([[0.0, 0.0, 0.4], [0.1, 0.2, -2.0]]),
        torch.rand(2, 3, generator=random),
        torch.zeros(2, 2, 2),
    )
    shaped = body.shaped(shape)
    vertices, ours = body.skinned(shaped, pose).numpy(), body.posed(shaped.joints, pose).joints.numpy()
    joints = np.zeros((2, len(JOINTS), 3))
    for name, theirs in PARTNERS.items():
        joints[:, JOINTS.index(theirs)] = ours[:, body.joint_names.index(name)]
    fit = fit_to_mhr(vertices, joints)
    found = body.skinned(body.shaped(fit.shape), fit.pose).numpy()
    outer = ~(body.regions["hidden"] | body.regions["eyes"]).numpy()
    off = np.linalg.norm(found - vertices, axis=-1)[:, outer]
    assert np.median(off) < 0.006 and np.quantile(off, 0.9) < 0.02
    assert (fit.residual < 0.006).all()


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_to_mhr(np.full((1, 10, 3), np.nan), np.zeros((1, 127, 3)))


def test_a_real_fit(material: Path) -> None:
    """SAM 3D Body's MHR fit of a picture: our surface within 6 mm of theirs in the median, eyes within 30 mm."""
    folder = material / "data" / "mhr"
    faces = np.asarray(o3d.io.read_triangle_mesh(folder / "mhr_face_mask.ply").triangles).astype(np.uint32)
    body = get_body_model("anny")
    outer = ~(body.regions["hidden"] | body.regions["eyes"]).numpy()
    camera = np.array([1.0, -1.0, -1.0])  # their results are in a camera's axes
    fits = [np.load(path) for path in sorted(folder.glob("img_subj*.npz"))]
    assert len(fits) == 4 and CENTIMETRE == 0.01
    for fit in fits[1:2]:
        vertices = (fit["pred_vertices"] * camera) @ OURS_FROM_MHR.numpy().T
        joints = (fit["pred_joint_coords"] * camera) @ OURS_FROM_MHR.numpy().T
        found = fit_to_mhr(vertices[None], joints[None])
        shaped = body.shaped(found.shape)
        ours = body.skinned(shaped, found.pose)[0].numpy()
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        scene.add_triangles(o3d.core.Tensor.from_numpy(vertices.astype(np.float32)), o3d.core.Tensor.from_numpy(faces))
        off = scene.compute_distance(o3d.core.Tensor.from_numpy(ours[outer]), nthreads=1).numpy()
        assert np.median(off) < 0.006 and np.quantile(off, 0.9) < 0.02
        posed = body.posed(shaped.joints, found.pose).joints[0].numpy()
        for side, keypoint in (("L", 1), ("R", 2)):  # of their 70 keypoints: truth that the fit did not see
            eye = (fit["pred_keypoints_3d"][keypoint] * camera) @ OURS_FROM_MHR.numpy().T
            assert np.linalg.norm(posed[body.joint_names.index(f"eye.{side}")] - eye) < 0.03
