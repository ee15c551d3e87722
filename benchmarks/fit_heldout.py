"""What a body fit says about frames it did not see: fitted to even frames, tried on odd ones.

    python benchmarks/fit_heldout.py CLIP.mp4 [CLIP.mp4 ...]

The body is fitted to every second frame of a clip; pose, place and expression of the frames between are interpolated,
and body and face points predicted from them are compared with what the detector saw there. Jitter is the mean length
of second differences of the visible body points, of the detector and of a fit to all frames.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lca_dataparsers.processing.decode import open_source
from lca_dataparsers.processing.estimate import estimate_source
from lca_dataparsers.processing.estimators import build_estimator
from lca_dataparsers.processing.fitting import FitConfig, fit_clip, measure_fit
from lca_dataparsers.processing.fitting.config import TermWeights
from lca_dataparsers.processing.fitting.point_body import get_point_body
from lca_dataparsers.processing.fitting.result import ClipFit
from lca_dataparsers.processing.fitting.state import FitState
from lca_dataparsers.processing.fitting.visibility import faces_seen, landmark_visibility
from lca_dataparsers.processing.fitting.windows import interpolated
from lca_dataparsers.processing.observations import ClipObservations, concatenate
from lca_dataparsers.processing.shots import find_shots
from lca_dataparsers.processing.work_folder import WorkFolder, fingerprint
from lca_shared.cameras import project
from lca_shared.rotations import rotation_vector_to_matrix


def observed(clip: Path, most: int | None) -> ClipObservations:
    """Detections of the frames of a clip's first shot in which a person was found (or those in an ``.npz``)."""
    if clip.suffix == ".npz":
        observations = ClipObservations.load(clip)[: most or 10**9]
    else:
        observations = _detected(clip, most)
    seen = observations[np.flatnonzero(observations.seen)]
    return replace(seen, camera_path=np.zeros_like(seen.camera_path))  # all in the axes of each picture's own camera


def _detected(clip: Path, most: int | None) -> ClipObservations:
    source = open_source(clip, max_frames=most)
    shots = find_shots(source)
    if len(shots) > 1:
        source.span = shots[0]
    with tempfile.TemporaryDirectory() as place:
        folder = WorkFolder(Path(place), fingerprint({}, source.files))
        estimator = build_estimator(head_matrix=False)
        estimate_source(source, folder, [estimator], long_side=1280)
        estimator.close()
        return concatenate(folder.load()[0])


def predicted(fit: ClipFit, at: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Pixels of body and face points at ``times``, where ``at`` are those that the fit saw."""
    body = get_point_body("anny").without_surface()
    pose = fit.pose
    state = FitState(
        fit.shape,
        torch.zeros(()),
        rotation_vector_to_matrix(pose.root_rotation),
        torch.zeros_like(pose.root_rotation),
        pose.root_translation,
        pose.joint_rotations,
    )
    between = interpolated(state, at, times)
    known = times[at]
    expression = np.stack([np.interp(times, known, row) for row in fit.expression.numpy().T], axis=1)
    displaced = body.face_displacements(torch.from_numpy(expression.astype(np.float32)))
    points, joints = body.of_shape(fit.shape)
    transforms = body.transforms(joints, between.root, between.rotations, between.translation)
    camera = fit.cameras[0]
    posed = body.posed(points, transforms, displaced)
    return {name: project(camera, posed[name])[0].numpy() for name in ("body", "face")}


def residuals(pixels: dict[str, np.ndarray], seen: ClipObservations, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Distances at ``rows``: of visible body points in % of the person's height, of face points in % of the face."""
    body = get_point_body("anny")
    below_head = [k for k in body.body_landmarks if k > 10]
    columns = [body.body_landmarks.index(k) for k in below_head]
    visible = landmark_visibility(seen)[:, below_head] > 0.5
    height = (seen.person_boxes[:, 3] - seen.person_boxes[:, 1])[:, None]
    off = 100 * np.linalg.norm(pixels["body"][:, columns] - seen.body_points[:, below_head], axis=2) / height
    face = seen.face_points[:, list(body.face_landmarks)]
    size = np.nanmax(np.ptp(seen.face_points, axis=1), axis=1, keepdims=True)
    face_off = 100 * np.linalg.norm(pixels["face"] - face, axis=2) / size
    there = faces_seen(seen)[rows]
    return {"body": off[rows][visible[rows]], "face": face_off[rows][there].ravel()}


def jitter(points: np.ndarray, visible: np.ndarray, height: np.ndarray) -> float:
    """Mean length of second differences of points visible in three frames, % of the person's height."""
    second = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=2) / height[1:-1, None]
    return float(100 * second[visible[2:] & visible[1:-1] & visible[:-2]].mean())


def measured(observations: ClipObservations, config: FitConfig) -> dict[str, float]:
    """The figures of one clip."""
    frames = np.arange(len(observations))
    even, odd = frames[::2], frames[1::2]
    odd = odd[odd < even[-1]]
    times = observations.times.astype(np.float64)
    half = replace(observations[even], times=observations.times[even])
    fit = fit_clip(half, config)
    pixels = predicted(fit, even, times)
    held, fitted = residuals(pixels, observations, odd), residuals(pixels, observations, even)
    whole = fit_clip(observations, config)
    all_pixels = predicted(whole, frames, times)
    points = get_point_body("anny").body_landmarks
    visible = landmark_visibility(observations)[:, list(points)] > 0.5
    height = observations.person_boxes[:, 3] - observations.person_boxes[:, 1]
    figures = measure_fit(whole)
    return {
        "frames": len(frames),
        **{
            f"{name} {kind} {label}": float(np.quantile(values[name], q)) if len(values[name]) else float("nan")
            for name in ("body", "face")
            for kind, values in (("seen", fitted), ("held out", held))
            for label, q in (("median", 0.5), ("p90", 0.9))
        },
        "jitter detector": jitter(observations.body_points[:, list(points)], visible, height),
        "jitter fit": jitter(all_pixels["body"], visible, height),
        "joints mm/frame2": figures["acceleration"],
        "feet that look still mm/frame": figures["foot_slide"],
    }


def main() -> None:
    """Print a table, one column a clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path, help="videos, or .npz files of observations")
    parser.add_argument("--max-frames", type=int, default=None, help="of each clip")
    parser.add_argument("--contact", type=float, default=1.0, help="factor on the term of standing feet; 0 = without")
    options = parser.parse_args()
    config = FitConfig(weights=TermWeights(contact=options.contact))
    columns = {clip.stem: measured(observed(clip, options.max_frames), config) for clip in options.clips}
    print("| | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * len(columns))
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(f"{column[name]:.2f}" for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
