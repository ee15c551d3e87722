"""Detection on real clips, held to what anybody sees in them, and the geometry around it."""

from pathlib import Path

import numpy as np
import pytest

from lca_dataparsers.processing.choosing import PersonChooser, overlap
from lca_dataparsers.processing.decode import open_source
from lca_dataparsers.processing.estimators import PersonEstimator, Sighting, build_estimator, registry
from lca_dataparsers.processing.estimators.crops import SquareCrop, square_around
from lca_dataparsers.processing.estimators.masks import SEGMENTER_SIZE, fused_mask, mask_box, without_islands
from lca_dataparsers.processing.notes import FrameNote
from lca_dataparsers.processing.observations import ClipObservations, concatenate, empty_observations
from lca_dataparsers.processing.one_camera import brought_together
from lca_shared.errors import MissingWeightsError, UserError


@pytest.fixture(scope="module")
def mediapipe(models: Path) -> PersonEstimator:
    return build_estimator(model_dir=models)


@pytest.fixture(scope="module")
def standing(material: Path) -> np.ndarray:
    """A man who stands and faces the camera, 720 x 1280."""
    return next(open_source(material / "data" / "video" / "lhm_demo.mp4").pictures()).image


def test_a_standing_man_is_found(mediapipe: PersonEstimator, standing: np.ndarray) -> None:
    people = mediapipe.people(standing)
    assert len(people) == 1
    person = people[0]
    height = person.box[3] - person.box[1]
    nose, left_shoulder, right_shoulder, left_ankle = person.points[[0, 11, 12, 27]]
    assert 1100 < height < 1200
    assert left_shoulder[0] > right_shoulder[0] + 100  # his left is on our right
    assert nose[1] < left_shoulder[1] < left_ankle[1]
    details = mediapipe.details(standing, person, True)
    assert np.isfinite(details.face_points).all() and details.blendshapes.max() <= 1
    face = details.face_points.mean(axis=0)
    assert np.linalg.norm(face - nose) < 0.05 * height
    assert details.hand_scores[1] > 0.7  # the right hand hangs in plain sight
    assert np.linalg.norm(details.hand_points[1, 0] - person.points[16]) < 0.06 * height
    share = (details.mask > 127).mean()
    assert 0.2 < share < 0.4
    between = (details.mask > 20) & (details.mask < 235)
    assert between.sum() < 0.06 * (details.mask > 127).sum()  # a crisp edge


def test_two_people_are_two(mediapipe: PersonEstimator, standing: np.ndarray) -> None:
    both = np.concatenate([standing, standing[:, ::-1]], axis=1)
    people = mediapipe.people(both)
    assert len(people) == 2
    left = min(people, key=lambda person: person.box[0])
    details = mediapipe.details(both, left, False)
    assert (details.mask[:, 720:] > 127).mean() < 0.002


def test_a_small_person_is_seen_as_well_as_a_large_one(mediapipe: PersonEstimator, standing: np.ndarray) -> None:
    import cv2

    wide = np.full((1000, 1600, 3), 90, np.uint8)
    wide[500:980, 300:570] = cv2.resize(standing, (270, 480), interpolation=cv2.INTER_AREA)
    large, small = mediapipe.people(standing)[0], mediapipe.people(wide)[0]
    mapped = large.points * (270 / 720) + [300, 500]
    seen = large.visibility > 0.8
    off = np.linalg.norm(small.points - mapped, axis=1)[seen] / (small.box[3] - small.box[1])
    assert np.median(off) < 0.015


def test_a_person_is_followed_to_where_they_were_found(mediapipe: PersonEstimator, standing: np.ndarray) -> None:
    import cv2

    wide = np.full((1000, 1600, 3), 90, np.uint8)
    wide[500:980, 300:570] = cv2.resize(standing, (270, 480), interpolation=cv2.INTER_AREA)
    for picture in (standing, wide):  # the second is looked at in a crop
        (found,) = mediapipe.people(picture)
        assert found.place is not None
        (followed,) = mediapipe.people(picture, found.place)
        height = found.box[3] - found.box[1]
        off = np.linalg.norm(followed.points - found.points, axis=1)[found.visibility > 0.8]
        assert off.max() < 0.02 * height and np.abs(followed.box - found.box).max() < 0.05 * height
        shape = (250, 250)
        outlines = [cv2.resize(person.mask, shape) > 127 for person in (followed, found)]
        assert (outlines[0] & outlines[1]).sum() > 0.9 * (outlines[0] | outlines[1]).sum()
    # nobody is there: they are looked for
    away = mediapipe.people(wide, np.array([1300, 200, 300, 0], np.float32))
    np.testing.assert_array_equal(away[0].points, mediapipe.people(wide)[0].points)


def test_nobody_is_found_where_nobody_is(mediapipe: PersonEstimator, material: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    assert mediapipe.people(noise) == [] and mediapipe.people(noise, np.array([160, 120, 240, 0], np.float32)) == []


def test_unknown_estimator_and_missing_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.delitem(registry.KINDS["pose"], "mediapipe")
        with pytest.raises(UserError, match="no estimator 'mediapipe' for pose"):
            build_estimator()
    monkeypatch.delenv("LCA_MODEL_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(MissingWeightsError, match=r"pose_landmarker_full\.task"):
        build_estimator(model_dir=tmp_path)


def offline(*_: object, **__: object) -> None:
    raise OSError("no network")


@pytest.mark.parametrize("square", [SquareCrop(10, 5, 40), SquareCrop(-15, -9, 50), SquareCrop(45, 30, 60)])
def test_a_crop_and_the_way_back(square: SquareCrop) -> None:
    rows, columns = np.mgrid[:64, :96]
    image = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
    cut = square.cut(image, 160).astype(float)
    place = np.array([[0.5, 0.5], [0.3, 0.6], [0.6, 0.4]])
    pixels = square.to_picture(place)
    inside = ((pixels > 1) & (pixels < [95, 63])).all(axis=1)
    assert inside.any()
    read = np.stack([cut[int(y * 160), int(x * 160), :2] for x, y in place])
    np.testing.assert_allclose(read[inside] + 0.5, pixels[inside], atol=1.0)
    assert square_around(np.array([20.0, 30.0]), 10.0) == SquareCrop(15, 25, 10)


def test_masks_agree_where_detectors_do() -> None:
    rows, columns = np.mgrid[:300, :200] + 0.5
    disc = np.hypot(columns - 100, rows - 150) < 70
    box = np.array([30, 80, 170, 220], np.float32)
    square = square_around(np.array([100.0, 150.0]), 1.15 * 140)

    def portrait(_: np.ndarray) -> np.ndarray:
        y, x = (np.mgrid[:SEGMENTER_SIZE, :SEGMENTER_SIZE] + 0.5) * square.side / SEGMENTER_SIZE
        return (np.hypot(x + square.left - 100, y + square.top - 150) < 70).astype(np.float32)

    image = np.zeros((300, 200, 3), np.uint8)
    mask = fused_mask(image, (disc * 255).astype(np.uint8), box, portrait, True) > 127
    assert (mask & disc).sum() / (mask | disc).sum() > 0.98
    np.testing.assert_allclose(mask_box(np.uint8(255) * mask), box, atol=2)
    specks = np.zeros((50, 50), np.uint8)
    specks[5:40, 5:40], specks[46, 46] = 255, 255
    assert without_islands(specks)[46, 46] == 0 and without_islands(specks)[5:40, 5:40].min() == 255
    assert np.isnan(mask_box(np.zeros((4, 4), np.uint8))).all()


def sighting(left: float, width: float = 40.0) -> Sighting:
    box = np.array([left, 0, left + width, 100], np.float32)
    points = np.zeros((33, 2), np.float32)
    return Sighting(points, points[:, 0], np.zeros((33, 3), np.float32), np.zeros((4, 4), np.uint8), box)


def test_one_person_is_followed() -> None:
    chooser = PersonChooser()
    first = chooser.choose([sighting(200, 50), sighting(0, 60)])
    assert first is not None and first.box[0] == 0  # the larger
    second = chooser.choose([sighting(180, 90), sighting(10, 55)])
    assert second is not None and second.box[0] == 10  # the same, though no longer the larger
    assert chooser.choose([]) is None
    by_number = PersonChooser(1)
    assert by_number.choose([sighting(5)]) is None  # there are not two yet
    chosen = by_number.choose([sighting(200), sighting(5, 80)])
    assert chosen is not None and chosen.box[0] == 200
    assert overlap(sighting(0).box, sighting(0).box) == pytest.approx(1)
    assert overlap(sighting(0).box, sighting(40).box) == 0


def observed(frames: int) -> ClipObservations:
    observations = empty_observations(np.arange(frames) / 30, (320, 200))
    observations.body_points[:] = np.random.default_rng(0).uniform(0, 200, (frames, 33, 2))
    observations.masks[:, 40:80] = 255
    observations.person_boxes[:] = (0, 50, 320, 100)
    return observations


def test_observations_are_kept(tmp_path: Path) -> None:
    whole = observed(5)
    parts = [whole[:2], whole[2:]]
    for number, part in enumerate(parts):
        part.save(tmp_path / f"{number}.npz")
    again = concatenate([ClipObservations.load(tmp_path / f"{number}.npz") for number in range(2)])
    assert again.image_size == (320, 200) and again.focal_prior is None and again.seen.all()
    np.testing.assert_array_equal(again.body_points, whole.body_points)
    np.testing.assert_array_equal(again.masks, whole.masks)
    (tmp_path / "0.npz").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"0\.npz"):
        ClipObservations.load(tmp_path / "0.npz")


def test_photos_of_one_person_share_a_camera() -> None:
    photos = [observed(1), observed(1)]
    notes = [FrameNote(n, 0.0, "", 320, 200, focal, 1, 1.0, 255.0, "") for n, focal in enumerate((400.0, 200.0))]
    together, placements = brought_together(photos, notes, 50.0)
    assert together.focal_prior == 300.0
    shared = np.array([[300.0, 0, together.image_size[0] / 2], [0, 300.0, together.image_size[1] / 2], [0, 0, 1]])
    for row, (photo, note, placement) in enumerate(zip(photos, notes, placements)):
        own = placement.own_intrinsics(shared)
        np.testing.assert_allclose(own, [[note.focal, 0, 160], [0, note.focal, 100], [0, 0, 1]], atol=0.5)
        # one direction of sight: the same point through either camera
        mine = (photo.body_points[0] - own[:2, 2]) / own[0, 0]
        theirs = (together.body_points[row] - shared[:2, 2]) / shared[0, 0]
        np.testing.assert_allclose(mine, theirs, atol=2e-3)
        np.testing.assert_allclose(
            placement.own_points(together.person_boxes[row].reshape(2, 2)).ravel()[1:4:2], [50, 100]
        )
        inside = np.flatnonzero(together.masks[row].max(axis=1) > 127)
        box = together.person_boxes[row] * together.mask_scale
        np.testing.assert_allclose([inside[0], inside[-1] + 1], box[[1, 3]], atol=1.5)
