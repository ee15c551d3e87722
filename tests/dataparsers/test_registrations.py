"""Bodies of MHR and SMPL-X beside a capture: as its body, as ours, and what is wrong with the files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from look_alikes import MadeCamera, made_cameras, write_actorshq, write_transforms
from mhr_file import write_mhr
from smplx_file import write_smplx

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.formats.registrations import read_registration
from lca_dataparsers.formats.registry import open_capture
from lca_dataparsers.studio_fit import from_mhr
from lca_dataparsers.studio_fit.from_mhr import MHRFit
from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.mhr import JOINTS, OURS_FROM_MHR, load_mhr
from lca_shared.cameras import project
from lca_shared.errors import UserError


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty model folder."""
    monkeypatch.setenv("LCA_MODEL_DIR", str(tmp_path / "models"))
    get_body_model.cache_clear()
    yield tmp_path / "models"
    get_body_model.cache_clear()


def made_bodies(count: int) -> dict[str, np.ndarray]:
    """SAM 3D Body's parameters of some moments: one person, no scales."""
    random = np.random.default_rng(2)
    parameters = np.zeros((count, 204))
    parameters[:, :60] = random.normal(size=(count, 60)) * 0.06
    return {
        "mhr_model_params": parameters,
        "shape_params": np.tile(random.normal(size=45), (count, 1)),
        "expr_params": random.normal(size=(count, 72)) * 0.3,
        "pred_cam_t": random.normal(size=(count, 3)) * 0.2 + (0, 0, 3),
    }


def write_bodies(folder: Path, bodies: dict[str, np.ndarray], names: tuple[str, ...]) -> Path:
    folder.mkdir(parents=True)
    for row, name in enumerate(names):
        np.savez(folder / f"{name}.npz", **{key: values[row] for key, values in bodies.items()})
    return folder


@pytest.mark.parametrize("in_camera", [False, True])
def test_mhr_beside_a_capture(models: Path, tmp_path: Path, in_camera: bool, capsys: pytest.CaptureFixture) -> None:
    """The dataset's surface is the module's, in the capture's world or in front of the camera that was named."""
    cameras, bodies = made_cameras(), made_bodies(2)
    root = write_actorshq(tmp_path / "capture", cameras)
    if not in_camera:
        bodies.pop("pred_cam_t")
    folder = write_bodies(tmp_path / "fits", bodies, ("000000", "000001"))
    options = ["--output-dir", str(tmp_path / "D"), "--body", "registration", "--registration", str(folder)]
    if in_camera:
        assert main(["import", "actorshq", str(root), *options]) == 1
        assert "--registration-camera" in capsys.readouterr().err
        options += ["--registration-camera", cameras[1].name]
    assert main(["import", "actorshq", str(root), *options]) == 1
    assert "facebookresearch/MHR/releases" in capsys.readouterr().err and not (tmp_path / "D" / "dataset.json").exists()
    write_mhr(models / "mhr" / "mhr_model.pt")
    assert main(["import", "actorshq", str(root), *options]) == 0
    dataset = AvatarDataset.open(tmp_path / "D")
    (person,) = dataset.subjects.values()
    body = get_body_model("mhr")
    assert dataset.info.body_model == "mhr" and len(person) == 6 and person.shape.shape == (113,)
    tensors = [torch.from_numpy(bodies[k]).float() for k in ("shape_params", "mhr_model_params", "expr_params")]
    theirs = (load_mhr().posed(*tensors)[0] @ OURS_FROM_MHR).numpy()  # MHR's own axes, metres
    world = np.array(person.info.report["world_from_capture"])
    for row in range(len(person)):
        frame = person.load(row)
        ours = body.skinned(body.shaped(person.shape, frame.expression), frame.pose).numpy()
        moment = int(person.frames["frame"][row])
        expected = theirs[moment]
        if in_camera:
            pose = np.linalg.inv(cameras[1].camera_from_world)
            expected = (expected * (1, -1, -1) + bodies["pred_cam_t"][moment]) @ pose[:3, :3].T + pose[:3, 3]
        expected = expected @ world[:3, :3].T + world[:3, 3]
        np.testing.assert_allclose(ours, expected, atol=2e-4)
        assert 0 <= frame.confidence_face <= 1


def test_a_real_mhr_body_is_put_before_its_camera(
    material: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAM 3D Body's fit of a photo, without MHR's file: what our body is fitted to lies where it is in the photo.

    (The fit itself: ``test_from_mhr.py``.)"""
    fit = dict(np.load(material / "data" / "mhr" / "img_subj01.npz"))
    k = np.array([[253.5266, 0, 96.0], [0, 253.5266, 44.5], [0, 0, 1.0]])  # a tenth of the photo's 1920 x 890
    camera = MadeCamera("photo", k, made_cameras()[1].camera_from_world, 192, 89)

    def pixels(points: np.ndarray) -> np.ndarray:
        seen = (points + fit["pred_cam_t"]) @ k.T
        return seen[:, :2] / seen[:, 2:]

    np.testing.assert_allclose(pixels(fit["pred_keypoints_3d"]), fit["pred_keypoints_2d"] / 10, atol=0.01)
    given: list[np.ndarray] = []

    def recorded(vertices: np.ndarray, joints: np.ndarray, progress) -> MHRFit:
        given.extend((vertices, joints))
        body = get_body_model("anny")
        return MHRFit(torch.zeros(len(body.shape_names)), BodyPose.rest(len(body.driven_joints), (1,)), np.zeros(1))

    monkeypatch.setattr(from_mhr, "fit_to_mhr", recorded)
    folder = write_bodies(tmp_path / "fits", {key: values[None] for key, values in fit.items()}, ("000000",))
    root = write_transforms(tmp_path / "capture", [camera])
    options = ["--body", "from-registration", "--registration", str(folder), "--output-dir", str(tmp_path / "D")]
    assert main(["import", "nerfstudio", str(root), *options]) == 0
    dataset = AvatarDataset.open(tmp_path / "D")
    (person,) = dataset.subjects.values()
    assert dataset.info.body_model == "anny" and person.info.report["body"].endswith("(mhr)")
    lens = person.load(0).camera
    for points, name in zip(given, ("pred_vertices", "pred_joint_coords"), strict=True):
        found = project(lens, torch.from_numpy(points[0]).float())[0].numpy()
        np.testing.assert_allclose(found, pixels(fit[name]), atol=0.01)
    up = given[1][0][JOINTS.index("c_head")] - given[1][0][JOINTS.index("l_foot")]
    assert up[2] > 0.8 * np.linalg.norm(up) > 1.0
    for side, keypoint in (("l", 1), ("r", 2)):
        eye = project(lens, torch.from_numpy(given[1][0][[JOINTS.index(f"{side}_eye")]]).float())[0][0].numpy()
        assert np.linalg.norm(eye - fit["pred_keypoints_2d"][keypoint] / 10) < 1.0


def test_smplx_beside_a_capture(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = write_actorshq(tmp_path / "capture", made_cameras(), frames=(3, 4, 5))
    arrays = {"betas": np.zeros(10), "expression": np.zeros((2, 10)), "fullpose": np.zeros((2, 165))}
    arrays["transl"] = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    np.savez(tmp_path / "fit.npz", **arrays)
    write_smplx(models / "smplx/SMPLX_NEUTRAL.npz")
    options = ["--output-dir", str(tmp_path / "D"), "--body", "registration", "--registration"]
    assert main(["import", "actorshq", str(root), *options, str(tmp_path / "fit.npz")]) == 1
    assert "2 rows for 3 moments" in capsys.readouterr().err
    np.savez(tmp_path / "fit.npz", **arrays, frames=np.array([5, 3]))
    assert main(["import", "actorshq", str(root), *options, str(tmp_path / "fit.npz")]) == 0
    dataset = AvatarDataset.open(tmp_path / "D")
    (person,) = dataset.subjects.values()
    assert dataset.info.body_model == "smplx" and sorted(set(person.frames["frame"].tolist())) == [3, 5]
    moved = {int(f): t for f, t in zip(person.frames["frame"], person.frames["root_translation"], strict=True)}
    assert np.linalg.norm(moved[3] - moved[5]) == pytest.approx(np.linalg.norm([0.3, 0.3, 0.3]), abs=1e-5)


def test_files_that_do_not_belong(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root, bodies = write_actorshq(tmp_path / "capture", made_cameras()), made_bodies(2)
    bodies.pop("pred_cam_t")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    one = write_bodies(tmp_path / "one", bodies, ("fit",))
    odd = write_bodies(tmp_path / "odd", bodies, ("000000", "second"))
    later = write_bodies(tmp_path / "later", bodies, ("000007", "000008"))
    short = write_bodies(tmp_path / "short", {**bodies, "shape_params": np.zeros((2, 44))}, ("000000", "000001"))
    wrong = {**bodies, "expr_params": np.full((2, 72), np.nan)}
    infinite = write_bodies(tmp_path / "infinite", wrong, ("000000", "000001"))
    write_mhr(models / "mhr" / "mhr_model.pt")
    for path, message in (
        (tmp_path / "nowhere", "is missing"),
        (tmp_path / "empty", "holds no .npz"),
        (tmp_path / "text.npz", "not a readable"),
        (tmp_path / "other.npz", "neither MHR's nor SMPL-X's"),
        (one, "one body for 2 moments"),
        (odd, "second.npz is not named"),
        (later, "none of the moments"),
        (short, "44 numbers, not 45"),
        (infinite, "not finite"),
    ):
        options = ["--output-dir", str(tmp_path / "D"), "--body", "registration", "--registration", str(path)]
        assert main(["import", "actorshq", str(root), *options]) == 1, path
        assert message in capsys.readouterr().err, path


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Cut short, bytes changed, arrays of other types and sizes: an error that names the file, and nothing else."""
    capture = open_capture("actorshq", write_actorshq(tmp_path / "capture", made_cameras()))
    whole = write_bodies(tmp_path / "whole", made_bodies(2), ("000000", "000001"))
    content, random = (whole / "000001.npz").read_bytes(), np.random.default_rng(5)
    refused = 0
    for number in range(120):
        damaged = bytearray(content)
        if number % 3 == 0:
            damaged = damaged[: int(random.integers(len(content)))]
        elif number % 3 == 1:
            for place in random.integers(len(content), size=8):
                damaged[place] = int(random.integers(256))
        (whole / "000001.npz").write_bytes(damaged)
        if number % 3 == 2:
            odd = (
                np.zeros(()),
                np.array(["a"]),
                np.zeros((0, 3)),
                np.full(204, 1e400),
                np.array([None]),
                np.ones(3, "?"),
            )
            bodies = {name: values[1] for name, values in made_bodies(2).items()}
            name = sorted(bodies)[number // 3 % len(bodies)]
            np.savez(whole / "000001.npz", allow_pickle=True, **{**bodies, name: odd[number // 12 % len(odd)]})
        try:
            read_registration(whole, made_cameras()[0].name, capture)
        except UserError as error:
            refused += 1
            assert "whole" in str(error)
    assert 80 <= refused <= 120
