"""Drawn boxes for people and a rest pose for the fit, so that tests of the command are about the command."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from lca_dataparsers.cli import main
from lca_dataparsers.processing import estimators, source_task, subject
from lca_dataparsers.processing.estimators import PersonDetails, Sighting
from lca_dataparsers.processing.fitting.result import ClipFit, FitQuality
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics

PERSON = (50, 30, 110, 210)


class BoxEstimator:
    """Takes every white box for a person; counts the pictures it was shown."""

    name = "boxes"
    shown = 0
    stop_after: int | None = None

    def people(self, image: np.ndarray, expected: np.ndarray | None = None) -> list[Sighting]:
        import cv2

        BoxEstimator.shown += 1
        if BoxEstimator.stop_after is not None and BoxEstimator.shown > BoxEstimator.stop_after:
            raise KeyboardInterrupt
        count, labels, statistics, _ = cv2.connectedComponentsWithStats((image.min(axis=2) > 200).astype(np.uint8))
        found = []
        for part in range(1, count):
            left, top, width, height, area = statistics[part]
            if area > 100:
                points = np.random.default_rng(0).uniform(0, 1, (33, 2)) * [width, height] + [left, top]
                box = np.array([left, top, left + width, top + height], np.float32)
                mask = ((labels == part) * 255).astype(np.uint8)
                ones = np.ones(33, np.float32)
                found.append(Sighting(points.astype(np.float32), ones, np.zeros((33, 3), np.float32), mask, box))
        return sorted(found, key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))

    def details(
        self, image: np.ndarray, person: Sighting, alone: bool, hands=(True, True), expected=None
    ) -> PersonDetails:
        nan = np.full((2, 21, 2), np.nan, np.float32)
        return PersonDetails(
            face_points=np.full((478, 2), np.nan, np.float32),
            blendshapes=np.zeros(52, np.float32),
            head_from_canonical=np.full((4, 4), np.nan, np.float32),
            hand_points=nan,
            hand_scores=np.zeros(2, np.float32),
            mask=person.mask,
            box=person.box,
        )

    def close(self) -> None:
        pass


def resting_fit(observations: ClipObservations, config=None, progress=None) -> ClipFit:
    """The rest pose in front of a camera, in every frame in which somebody was seen."""
    body, frames = get_body_model("anny"), len(observations)
    width, height = observations.image_size
    camera = look_at(torch.tensor([0.0, -4.0, 0.0]), torch.zeros(3)).expand(frames, 4, 4)
    nan = np.full((frames, 1), np.nan, np.float32)
    seen = observations.seen
    figure = np.where(seen, 0.9, np.nan).astype(np.float32)
    figures = {field.name: figure for field in fields(FitQuality) if "residuals" not in field.name}
    return ClipFit(
        shape=torch.zeros(len(body.shape_names)),
        pose=BodyPose.rest(len(body.driven_joints), (frames,)),
        expression=torch.zeros(frames, 52),
        cameras=Cameras(camera, pinhole_intrinsics(height * 1.5, width, height).expand(frames, 3, 3), width, height),
        joint_confidence=torch.ones(frames, len(body.driven_joints)),
        face_confidence=torch.zeros(frames),
        gaze_confidence=torch.zeros(frames),
        hand_confidence=torch.zeros(frames, 2),
        quality=FitQuality(**{"body_residuals": nan, "face_residuals": nan} | figures),
        usable=seen,
        reasons=tuple("" if one else "no person" for one in seen),
    )


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch) -> type[BoxEstimator]:
    """Processing with these in place."""
    BoxEstimator.shown, BoxEstimator.stop_after = 0, None
    for module in (estimators, source_task):
        monkeypatch.setattr(module, "build_estimator", lambda *args, **options: BoxEstimator())
    monkeypatch.setattr(subject, "fit_clip", resting_fit)
    return BoxEstimator


def process(*arguments: object) -> int:
    """Exit status of ``lca-data process``."""
    return main(["process", *map(str, arguments), "--jobs", "1"])  # other processes would use the real detectors
