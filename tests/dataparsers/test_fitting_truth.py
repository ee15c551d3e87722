"""Joints in 3D against a person rendered by another program, seen by one camera."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.fit_truth import Config, compare, errors, read_truth, run, similar


def test_similarity_finds_turn_scale_and_shift() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(20, 3))
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    everything = np.ones(20, bool)
    moved = 1.3 * points @ turn.T + [0.1, -2.0, 3.0]
    np.testing.assert_allclose(similar(points, moved, everything), moved, atol=1e-9)
    aligned, similarity = errors(points + 5.0, points, (points[0] + 5.0, points[0]), everything)
    np.testing.assert_allclose(aligned, 0.0, atol=1e-9)
    np.testing.assert_allclose(similarity, 0.0, atol=1e-9)


def test_the_truth_compared_with_itself_has_no_error(material: Path) -> None:
    truth = read_truth(Config(material / "data/studio/goliath_A"))
    ours = {position: truth.joints[frame] + 1.0 for position, frame in enumerate((1, 2, 3))}
    found = compare(truth.names, ours, truth, (1, 2, 3))
    assert found.root_aligned.max() < 1e-6 and found.similarity.max() < 1e-6


@pytest.mark.slow
def test_one_camera(material: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(models))
    found = run(Config(material / "data/studio/goliath_A"))
    assert len(found.frames) == 6
    body = [not name.startswith("finger") for name in found.names]
    print(found.table())
    assert np.median(found.root_aligned[:, body]) < 90.0
    assert np.median(found.similarity[:, body]) < 60.0
