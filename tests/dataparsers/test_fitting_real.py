"""The fit on real clips: detection and fit of a part of each."""

from pathlib import Path

import numpy as np
import pytest

from lca_dataparsers.processing.decode import open_source
from lca_dataparsers.processing.estimate import estimate_source
from lca_dataparsers.processing.estimators import build_estimator
from lca_dataparsers.processing.fitting import FitConfig, fit_clip, measure_fit
from lca_dataparsers.processing.observations import ClipObservations, concatenate
from lca_dataparsers.processing.work_folder import WorkFolder
from lca_shared.body import get_body_model

pytestmark = pytest.mark.slow


def _observed(path: Path, models: Path, work: Path, frames: int) -> ClipObservations:
    source = open_source(path, max_frames=frames)
    folder = WorkFolder(work / path.stem, "test")
    estimate_source(source, folder, [build_estimator(model_dir=models)], long_side=1280)
    return concatenate(folder.load()[0])


def test_full_body_clip(material: Path, models: Path, tmp_path: Path) -> None:
    fit = fit_clip(_observed(material / "data/video/lhm_demo.mp4", models, tmp_path, 60))
    figures = measure_fit(fit)
    assert figures["usable_share"] >= 0.95
    assert figures["body_median"] <= 0.5 and figures["body_p90"] <= 1.5
    assert figures["face_median"] <= 2.5
    assert figures["iou_median"] >= 0.75
    assert figures["total_acceleration"] <= 12.0
    assert figures["limit_violations"] <= 0.02


def test_tight_clothes_fill_the_mask(material: Path, models: Path, tmp_path: Path) -> None:
    figures = measure_fit(fit_clip(_observed(material / "data/video/sapiens_reel1", models, tmp_path, 48)))
    assert figures["iou_median"] >= 0.87 and figures["inside_median"] >= 0.9


def test_head_and_shoulders_clip(material: Path, models: Path, tmp_path: Path) -> None:
    fit = fit_clip(_observed(material / "data/video/moore_talkinghead_1.mp4", models, tmp_path, 48))
    assert measure_fit(fit)["face_median"] <= 2.0
    joints = get_body_model("anny").driven_joints
    unseen = [i for i, name in enumerate(joints) if name.startswith(("upperleg", "lowerleg", "foot", "spine"))]
    assert float(fit.joint_confidence[:, unseen].max()) == 0.0
    assert float(fit.pose.joint_rotations[:, unseen].norm(dim=-1).max()) < 0.2


def test_photos_are_fitted_or_refused_with_a_reason(material: Path, models: Path, tmp_path: Path) -> None:
    for photo in sorted((material / "data/photos").iterdir()):
        fit = fit_clip(_observed(photo, models, tmp_path, 1), FitConfig(independent_frames=True))
        assert bool(fit.usable[0]) != bool(fit.reasons[0])
        if fit.usable[0]:
            assert np.nanmedian(fit.quality.body_residuals) < 1.0
