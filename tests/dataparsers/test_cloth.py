"""Cloth of loose garments: it keeps its lengths, loses energy, comes to rest, and stays out of the body."""

import hashlib
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
import torch

from lca_dataparsers.dataset.crop import square_box
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.cloth import GRAVITY, Cloth, Surroundings, make_cloth, swing
from lca_dataparsers.synthetic.command import SynthConfig, fingerprint, run
from lca_dataparsers.synthetic.draping import STEP, drape, near_the_floor
from lca_dataparsers.synthetic.environment import evenly_lit, random_environment
from lca_dataparsers.synthetic.loose import LOOSE
from lca_dataparsers.synthetic.noise import stream
from lca_dataparsers.synthetic.person import person_mesh, random_appearance
from lca_dataparsers.synthetic.walking import lead_in, walking_motion
from lca_shared.errors import UserError


def sheet(rings: int = 12, columns: int = 9, spacing: float = 0.03) -> Cloth:
    """A flat sheet, held along one edge."""
    ring, column = np.meshgrid(np.arange(rings), np.arange(columns), indexing="ij")
    rest = np.stack([column * spacing, -ring * spacing, np.ones(ring.shape)], axis=-1)
    return make_cloth(rest, closed=False)


def far_away(cloth: Cloth, steps: int) -> Surroundings:
    """Held still, with a body that it cannot reach."""
    body = np.broadcast_to(np.array([[[0.0, 0.0, -50.0]]]), (steps, 1, 3))
    up = np.broadcast_to(np.array([[[0.0, 0.0, 1.0]]]), (steps, 1, 3))
    return Surroundings(STEP, np.repeat(cloth.rest[:1], steps, axis=0), body, up, np.zeros(1))


@pytest.fixture(scope="module")
def fallen() -> tuple[Cloth, np.ndarray]:
    cloth = sheet()
    return cloth, swing(cloth, cloth.rest.reshape(-1, 3), far_away(cloth, 600))


def test_hanging_cloth_keeps_its_lengths(fallen: tuple[Cloth, np.ndarray]) -> None:
    cloth, path = fallen
    stretch = cloth.stretch(path)
    assert stretch.min() > 0.97 and stretch.max() < 1.08  # the whip at the end of its first fall
    assert stretch[-1].max() < 1.03
    assert np.isfinite(path).all()


def test_no_energy_appears_and_cloth_comes_to_rest(fallen: tuple[Cloth, np.ndarray]) -> None:
    cloth, path = fallen
    speed = np.diff(path, axis=0) / STEP
    height = 0.5 * (path[1:, :, 2] + path[:-1, :, 2])
    energy = 0.5 * (speed**2).sum(axis=(1, 2)) + GRAVITY * height.sum(axis=1)
    highest = np.maximum.accumulate(energy[::-1])[::-1]  # of this step and all later ones
    drop = GRAVITY * cloth.rest.shape[0] * 0.03 * path.shape[1]
    assert (highest - energy).max() < 0.01 * drop
    assert energy[-1] < energy[0] - 0.3 * drop  # it fell, and what it gained by falling is gone
    assert np.abs(speed[-1]).max() < 0.02
    lowest = path[-1].reshape(*cloth.rest.shape)[-1]
    np.testing.assert_allclose(lowest[:, 2], 1.0 - 11 * 0.03, atol=0.012)  # straight down


def test_held_edge_goes_where_it_is_held() -> None:
    cloth = sheet()
    around = far_away(cloth, 30)
    pinned = around.pinned + np.linspace(0, 0.3, 30)[:, None, None]
    path = swing(cloth, cloth.rest.reshape(-1, 3), Surroundings(STEP, pinned, around.body, around.normals, np.zeros(1)))
    np.testing.assert_allclose(path[1:, :9], pinned[1:], atol=1e-12)


def test_cloth_lies_on_a_ball_and_stays_there() -> None:
    """A sheet dropped on a ball as big as a thigh ends outside of it, by the margin."""
    cloth = sheet(20, 9)
    rows = np.arange(400) + 0.5  # evenly spread points of a ball
    polar, turn = np.arccos(1 - 2 * rows / 400), np.pi * (1 + 5**0.5) * rows
    normals = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=-1)
    middle, radius, margin = np.array([0.12, -0.3, 0.8]), 0.1, 0.01
    steps = 240
    around = Surroundings(
        *(STEP, np.repeat(cloth.rest[:1], steps, axis=0)),
        np.repeat((middle + radius * normals)[None], steps, axis=0),
        np.repeat(normals[None], steps, axis=0),
        np.full(400, margin),
    )
    path = swing(cloth, cloth.rest.reshape(-1, 3), around)
    distance = np.linalg.norm(path[-1] - middle, axis=1)
    assert distance.min() > radius + 0.5 * margin
    assert (distance < radius + 1.5 * margin).sum() > 5  # it does lie there
    assert np.abs(path[-1] - path[-30]).max() < 0.01


@pytest.fixture(scope="module", params=LOOSE)
def walked(request: pytest.FixtureRequest) -> dict:
    """Somebody in a loose garment walking for two seconds, and the garment."""
    body = body_fields().body
    person = random_appearance(0, 1, request.param)
    part = person_mesh(person).swinging
    assert part is not None
    first = lead_in(STEP)
    pose = walking_motion(stream("walk", 1), body, np.arange(-first, 120) * STEP)
    vertices = drape(body, person, part, pose, STEP)
    return {"person": person, "part": part, "pose": pose, "vertices": vertices, "first": first}


def grid(walked: dict) -> np.ndarray:
    """[steps, rings, columns, 3] of the cloth."""
    rings, columns = walked["part"].cloth.rest.shape[:2]
    return walked["vertices"].reshape(-1, rings, walked["part"].columns, 3)[:, :, :columns]


def test_garments_keep_their_lengths_while_people_walk(walked: dict) -> None:
    part, path = walked["part"], grid(walked)[walked["first"] :]
    cloth = part.cloth
    free = cloth.pairs[cloth.threads][:, 1] >= cloth.rest.shape[1]  # the held edge follows the skin
    stretch = cloth.stretch(path.reshape(len(path), -1, 3))[:, free]
    assert (np.abs(stretch - 1) > 0.1).mean() < 0.02
    assert (np.abs(stretch - 1) > 0.05).mean() < 0.1
    assert stretch.max() < 1.8


def test_garments_swing_and_do_not_fly_apart(walked: dict) -> None:
    path = grid(walked)
    speed = np.linalg.norm(np.diff(path, axis=0), axis=-1) / STEP
    assert speed[walked["first"] :].max() < 6.0
    hem, held = path[walked["first"] :, -1], path[walked["first"] :, 0].mean(axis=1, keepdims=True)
    swings = np.linalg.norm(hem - held, axis=-1).std(axis=0)
    assert swings.max() > 0.02  # metres; 0 for what hangs on the waist like a lampshade


def test_people_walk_as_people_do() -> None:
    """About 1 m/s at up to 2.2 steps a second; hips do not fall from foot to foot."""
    body, times = body_fields().body, np.arange(-lead_in(STEP), 360) * STEP
    person, first = random_appearance(0, 1, "skirt"), lead_in(STEP)
    shaped = body.shaped(torch.from_numpy(person.shape))
    for seed in range(3):
        pose = walking_motion(stream("pace", seed), body, times)
        up = near_the_floor(body, person, pose, STEP)[first:, 2].numpy()
        assert np.abs(np.diff(up, 2) / STEP**2).max() < 6.0  # m/s²
        joints = body.posed(shaped.joints, pose).joints[first:].numpy()
        left, right = (joints[:, body.joint_names.index(f"foot.{side}")] for side in "LR")
        yaw = pose.root_rotation[first:, 2].numpy()
        ahead = np.stack([np.sin(yaw), -np.cos(yaw)], axis=-1)
        apart = ((left - right)[:, :2] * ahead).sum(axis=-1)
        passed = (np.diff(np.sign(apart)) != 0).sum() / 6.0  # times a second; not while a knee is up
        assert 0.8 < passed < 2.3
        assert 0.8 < np.abs(np.diff(apart)).mean() / STEP / 2 < 1.5  # half of what feet move against each other
        assert np.abs(np.diff(np.unwrap(yaw)) / STEP).mean() < 1.2  # radians a second


def test_no_vertex_inside_the_body(walked: dict) -> None:
    """Signed distances by Open3D from the skin itself: at most 8 mm inside, and hardly any at all."""
    body, pose = body_fields().body, walked["pose"]
    shaped = body.shaped(torch.from_numpy(walked["person"].shape))
    deepest, inside = 0.0, []
    for step in range(walked["first"], len(pose.root_rotation), 10):
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        skin = body.skinned(shaped, pose[step]).numpy()
        scene.add_triangles(
            o3d.core.Tensor.from_numpy(skin), o3d.core.Tensor.from_numpy(body.faces.numpy().astype(np.uint32))
        )
        points = grid(walked)[step].reshape(-1, 3).astype(np.float32)
        signed = scene.compute_signed_distance(o3d.core.Tensor.from_numpy(points), nthreads=1).numpy()
        deepest = min(deepest, float(signed.min()))
        inside.append((signed < 0).mean())
    assert deepest > -0.008
    assert np.mean(inside) < 0.001


def test_datasets_with_garments(tmp_path: Path) -> None:
    """Same bytes again; the garment's mask is part of the person's, and is cropped with the picture."""
    config = SynthConfig(tmp_path / "a", garment="dress", size=64, frames=2, subjects=1, workers=1, partial=0.0)
    run(config)
    run(SynthConfig(tmp_path / "b", garment="dress", size=64, frames=2, subjects=1, workers=1, partial=0.0))

    def digests(root: Path) -> dict[str, str]:
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    (subject,) = AvatarDataset.open(tmp_path / "a").subjects.values()
    assert {"dress", "bodice"} <= {text.split(" ")[0] for text in subject.info.report["outfit"]}
    for row in range(len(subject)):
        frame = subject.load(row)
        assert frame.garment is not None
        assert bool((frame.garment <= frame.mask).all())
        assert 0.2 < float(frame.garment.sum() / frame.mask.sum()) < 0.9
        box = square_box(frame.person_box, margin=0.1)
        cropped = frame.cropped(box, 64)
        assert cropped.garment is not None and cropped.garment.shape == cropped.mask.shape
        assert bool((cropped.garment <= cropped.mask + 1e-5).all())
    run(SynthConfig(tmp_path / "s", kind="studio", garment="coat", size=48, frames=1, cameras=2, subjects=1, workers=1))
    (subject,) = AvatarDataset.open(tmp_path / "s").subjects.values()
    masks = [subject.load(row).garment for row in range(2)]
    assert all(mask is not None and float(mask.sum()) > 20 for mask in masks)


def test_even_light_shades_nothing_but_what_is_hidden() -> None:
    """A key light turns a person's two sides different; even light has none."""
    lit = evenly_lit(random_environment(stream("light", 0), "wild"))
    assert float(lit.key_color.max()) == 0.0
    np.testing.assert_array_equal(lit.sky, lit.ground)
    assert fingerprint(SynthConfig(Path("d"), even_light=True), 0) != fingerprint(SynthConfig(Path("d")), 0)
    with pytest.raises(UserError, match="--lights"):
        run(SynthConfig(Path("d"), kind="studio", lights=True, even_light=True))


def test_settings_without_garments_are_other_settings() -> None:
    assert len({fingerprint(SynthConfig(Path("d"), garment=kind), 0) for kind in (None, *LOOSE)}) == 4
