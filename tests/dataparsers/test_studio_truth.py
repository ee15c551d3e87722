"""The studio fit against a clothed person rendered by another program."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.studio_truth import Config, distances, run


def test_distances_from_a_mesh() -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = np.array([[0.2, 0.2, 0.5], [2.0, 0, 0], [0.1, 0.1, 0.0]])
    np.testing.assert_allclose(distances(corners, np.array([[0, 1, 2]]), points), [0.5, 1.0, 0.0], atol=1e-6)


@pytest.mark.slow
def test_all_cameras(material: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(models))
    found = run(Config(material / "data/studio/goliath_A"))
    print(found.table())
    assert len(found.frames) == 7 and len(found.iou) == 8
    assert np.median(found.root_aligned[:, found.body]) < 26.0
    assert np.median(found.similarity[:, found.body]) < 15.0
    assert np.median(found.surface) < 6.0
    assert np.median(np.concatenate(list(found.iou.values()))) > 0.86
    assert found.reprojection < 0.01
