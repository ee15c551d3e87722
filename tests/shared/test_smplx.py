"""SMPL-X through the body protocol, with a made file of the licensed one's layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from smplx_file import PARENTS, write_smplx

from lca_shared.body import BodyModel, get_body_model
from lca_shared.body.smplx import COMPONENTS, JOINTS, OURS_FROM_SMPLX, load_smplx, pose_from_smplx
from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.rotations import rotation_vector_to_matrix


def reference(arrays: dict, betas, expression, pose, translation) -> np.ndarray:
    """Linear blend skinning in SMPL-X's own axes, written out plainly."""
    first = 300 if arrays["shapedirs"].shape[2] == 400 else arrays["shapedirs"].shape[2] - COMPONENTS
    shaped = arrays["v_template"] + arrays["shapedirs"][..., :COMPONENTS] @ betas
    joints = arrays["J_regressor"] @ (shaped + arrays["shapedirs"][..., first : first + COMPONENTS] @ expression)
    shaped = shaped + arrays["shapedirs"][..., first : first + COMPONENTS] @ expression
    turns = rotation_vector_to_matrix(torch.from_numpy(pose)).numpy()
    world = []
    for j, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = turns[j], joints[j] - (joints[parent] if j else 0)
        world.append(local if j == 0 else world[parent] @ local)
    moved = np.zeros_like(shaped)
    for j, transform in enumerate(world):
        moved += arrays["weights"][:, j : j + 1] * ((shaped - joints[j]) @ transform[:3, :3].T + transform[:3, 3])
    return moved + translation


@pytest.mark.parametrize("components", [20, 400])
def test_poses_in_its_own_parameters(tmp_path: Path, components: int) -> None:
    arrays = write_smplx(tmp_path / "model.npz", components)
    body = load_smplx(tmp_path / "model.npz")
    random = np.random.default_rng(1)
    betas, expression = random.normal(size=COMPONENTS), np.zeros(COMPONENTS)
    pose, translation = random.normal(size=(55, 3)) * 0.4, random.normal(size=3)
    pose[[JOINTS.index("left_eye"), JOINTS.index("right_eye")]] = [0.1, 0.0, 0.0]  # eyes turn, they do not roll
    world = torch.eye(4, dtype=torch.float64)
    world[:3, :3] = rotation_vector_to_matrix(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64))
    world[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    expected = reference(arrays, betas, expression, pose, translation) @ world[:3, :3].numpy().T + [1, 2, 3]
    shape = torch.from_numpy(betas).float()
    ours = pose_from_smplx(
        body, shape, torch.from_numpy(pose)[None].float(), torch.from_numpy(translation)[None].float(), world.float()
    )
    found = body.skinned(body.shaped(shape, torch.zeros(1, COMPONENTS)), ours)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_it_follows_the_protocol(tmp_path: Path) -> None:
    arrays = write_smplx(tmp_path / "model.npz")
    body = load_smplx(tmp_path / "model.npz")
    assert isinstance(body, BodyModel) and len(body.driven_joints) == 52
    np.testing.assert_allclose(
        body.template_vertices.numpy(), arrays["v_template"] @ OURS_FROM_SMPLX.numpy().T, atol=1e-6
    )
    assert {"face", "head", "hands", "eyes", "mouth_interior"} <= body.regions.keys()


def test_the_file_is_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(tmp_path))
    get_body_model.cache_clear()
    with pytest.raises(MissingWeightsError, match="register at"):
        get_body_model("smplx")
    (tmp_path / "smplx").mkdir()
    (tmp_path / "smplx" / "SMPLX_NEUTRAL.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match=r"SMPLX_NEUTRAL\.npz is not an SMPL-X model"):
        get_body_model("smplx")
    np.savez(tmp_path / "smplx" / "SMPLX_NEUTRAL.npz", v_template=np.zeros((4, 3)))
    with pytest.raises(UserError, match="is not an SMPL-X model"):
        get_body_model("smplx")
    write_smplx(tmp_path / "smplx" / "SMPLX_NEUTRAL.npz")
    assert get_body_model("smplx").name == "smplx"
    get_body_model.cache_clear()
