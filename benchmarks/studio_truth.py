"""Accuracy of ``lca-data import`` against truth: ``python benchmarks/studio_truth.py --capture FOLDER``.

FOLDER holds a capture in the Goliath or the ActorsHQ layout that another program rendered, and the truth beside it in
``ground_truth`` (``frames.json``, ``cameras.json``, ``body_vertices.npz``). The capture is imported as a user would
import it; then the fitted body is compared with the truth in the capture's own world:

- joints that both rigs name, without the fingers: *root-aligned* (the two roots moved onto each other), *similarity*
  (turned and scaled as well), *absolute* (nothing moved);
- surface: distance of the true body's vertices from the fitted surface, nothing moved;
- silhouettes: intersection over union of the fitted body and the capture's masks (clothes and hair included);
- cameras: distance in the pictures between true joints seen through the true cameras and through the dataset's.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
import torch
import tyro

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fit_truth import BODY_JOINTS, errors


@dataclass(frozen=True)
class Config:
    """What to measure."""

    capture: Path
    """The folder that holds ``ground_truth`` and the capture."""
    fully_lit: bool = True
    """Compare moments with an even light alone; the others are imported all the same."""
    first_frame: int | None = None
    """First moment to import."""
    last_frame: int | None = None
    """Last moment to import."""
    cameras: tuple[str, ...] = ()
    """Names of the cameras to import; all if none is given."""
    dataset: Path | None = None
    """Where the dataset is left to be looked at; if it is there already, it is compared as it is."""


@dataclass(frozen=True)
class RigComparison:
    """Errors of all moments that were compared."""

    names: tuple[str, ...]
    frames: tuple[int, ...]
    root_aligned: np.ndarray
    """[frames, joints] mm."""
    similarity: np.ndarray
    absolute: np.ndarray
    surface: np.ndarray
    """[frames, vertices] mm."""
    iou: dict[str, np.ndarray]
    """By camera."""
    reprojection: float
    """Largest, pixels."""
    true_iou: np.ndarray
    """Of the true body with the masks; empty where the truth's mesh has other vertices than ours."""
    confidence: np.ndarray
    """[frames, joints] of the dataset; NaN for joints that it does not drive."""

    @property
    def body(self) -> np.ndarray:
        """[joints] bool: all but fingers."""
        return np.array([not name.startswith("finger") for name in self.names])

    def table(self) -> str:
        """A few lines to read."""
        lines = []
        for label in ("root_aligned", "similarity", "absolute"):
            for kind, chosen in (("body joints", self.body), ("finger joints", ~self.body)):
                part = getattr(self, label)[:, chosen]
                high = np.quantile(part, 0.9)
                lines.append(f"{label:13} {kind:14} median {np.median(part):6.1f} mm   90th percentile {high:6.1f} mm")
        middle, high = np.median(self.surface), np.quantile(self.surface, 0.9)
        lines.append(f"surface                      median {middle:6.1f} mm   90th percentile {high:6.1f} mm")
        every = np.concatenate(list(self.iou.values()))
        lines.append(f"silhouette IoU               median {np.median(every):6.3f}      lowest {every.min():6.3f}")
        if len(self.true_iou):
            lines.append(f"  of the true body           median {np.median(self.true_iou):6.3f}")
        lines += [f"  camera {name:12} median {np.median(values):6.3f}" for name, values in self.iou.items()]
        lines.append(f"cameras: truth reprojected within {self.reprojection:.4f} px")
        low = self.confidence < 0.5
        if low[:, self.body].any():
            off = self.root_aligned[:, self.body]
            flagged, sure = off[low[:, self.body]], off[~low[:, self.body]]
            lines.append(
                f"joints flagged as not seen: {low[:, self.body].sum()}, median {np.median(flagged):.1f} mm; "
                f"others median {np.median(sure):.1f} mm"
            )
        for row, frame in enumerate(self.frames):
            values = [np.median(getattr(self, label)[row, self.body]) for label in ("root_aligned", "similarity")]
            off = np.median(self.surface[row])
            lines.append(
                f"moment {frame}: root-aligned {values[0]:.1f}, similarity {values[1]:.1f}, surface {off:.1f} mm"
            )
        return "\n".join(lines)


def import_capture(config: Config, dataset: Path) -> None:
    """Import with the command.

    Raises:
        ValueError: the folder holds neither layout.
        subprocess.CalledProcessError: the command failed; what it said is on standard error.
    """
    layouts = {"goliath": "camera_calibration.json", "actorshq": "calibration.csv"}
    found = [name for name, file in layouts.items() if any(config.capture.rglob(file))]
    if len(found) != 1:
        raise ValueError(f"{config.capture} holds {len(found)} captures of a known layout")
    command = [sys.executable, "-m", "lca_dataparsers.cli", "import", found[0], str(config.capture)]
    command += ["--output-dir", str(dataset)]
    for option, value in (("--first-frame", config.first_frame), ("--last-frame", config.last_frame)):
        command += [option, str(value)] if value is not None else []
    command += ["--cameras", *config.cameras] if config.cameras else []
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def compare(config: Config, dataset: Path) -> RigComparison:
    """The dataset's only subject against the truth."""
    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_shared.body import get_body_model
    from lca_shared.cameras import project

    truth = json.loads((config.capture / "ground_truth" / "frames.json").read_text())
    vertices = np.load(config.capture / "ground_truth" / "body_vertices.npz")
    cameras = {str(c["id"]): c for c in json.loads((config.capture / "ground_truth" / "cameras.json").read_text())}
    true_frames = {int(frame["frame"]): frame for frame in truth["frames"]}
    (person,) = AvatarDataset.open(dataset).subjects.values()
    body, table = get_body_model("anny"), person.frames
    capture_from_world = np.linalg.inv(np.array(person.info.report["world_from_capture"]))
    common = [
        name for name in body.joint_names if name in truth["joint_names"] and name.startswith((*BODY_JOINTS, "finger"))
    ]
    ours_at = [body.joint_names.index(name) for name in common]
    true_at = [truth["joint_names"].index(name) for name in common]
    guide = np.array([not name.startswith("finger") for name in common])
    driven = {name: i for i, name in enumerate(body.driven_joints)}
    rows = {int(frame): row for row, frame in reversed(list(enumerate(table["frame"])))}
    results: dict[str, list] = {name: [] for name in ("aligned", "similar", "absolute", "surface", "confidence")}
    kept, worst = [], 0.0
    for frame, row in sorted(rows.items()):
        if frame not in true_frames or (config.fully_lit and true_frames[frame]["light"]["pattern"] != 0):
            continue
        pose, expression = table.poses([row]), table.expressions([row])
        shaped = body.shaped(person.shape, expression)
        joints = _moved(body.posed(shaped.joints, pose).joints[0].numpy(), capture_from_world)
        mesh = _moved(body.skinned(shaped, pose)[0].numpy(), capture_from_world)
        world = np.array(true_frames[frame]["joint_world_4x4"])[:, :3, 3]
        root = joints[body.joint_names.index("root")], world[truth["joint_names"].index("root")]
        aligned, similar = errors(joints[ours_at], world[true_at], root, guide)
        results["aligned"].append(1e3 * aligned)
        results["similar"].append(1e3 * similar)
        results["absolute"].append(1e3 * np.linalg.norm(joints[ours_at] - world[true_at], axis=1))
        results["surface"].append(1e3 * distances(mesh, body.faces.numpy(), vertices[f"{frame:06d}"]))
        confidence = table["joint_confidence"][row]
        results["confidence"].append([confidence[driven[name]] if name in driven else np.nan for name in common])
        kept.append(frame)
        for view in np.flatnonzero(table["frame"] == frame):
            lens, true = table.cameras([int(view)]), cameras[str(table["camera"][view])]
            points = torch.from_numpy(_moved(world, np.linalg.inv(capture_from_world))).float()
            seen = project(lens[0], points)[0].numpy()
            pose_3x4, k = np.array(true["world_to_camera_3x4_m"]), np.array(true["K_edge0"])
            expected = (world @ pose_3x4[:, :3].T + pose_3x4[:, 3]) @ k.T
            scale = np.array([lens.width / true["width"], lens.height / true["height"]])
            worst = max(worst, float(np.abs(seen - expected[:, :2] / expected[:, 2:] * scale).max()))
    stacked = {name: np.array(values) for name, values in results.items()}
    return RigComparison(
        tuple(common),
        tuple(kept),
        stacked["aligned"],
        stacked["similar"],
        stacked["absolute"],
        stacked["surface"],
        overlaps(person, set(kept)),
        worst,
        true_overlaps(person, {frame: vertices[f"{frame:06d}"] for frame in kept}, np.linalg.inv(capture_from_world)),
        stacked["confidence"],
    )


def distances(mesh: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of points [n, 3] from a mesh, in its unit."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(mesh.astype(np.float32)), o3d.core.Tensor.from_numpy(faces.astype(np.uint32))
    )
    return scene.compute_distance(o3d.core.Tensor.from_numpy(points.astype(np.float32))).numpy()


def overlaps(person, frames: set[int]) -> dict[str, np.ndarray]:
    """Intersection over union of the fitted body and the mask, in the dataset's own pixels, by camera."""
    from lca_dataparsers.overlay import shaded_mesh
    from lca_shared.body import get_body_model

    body, found = get_body_model("anny"), {}
    for row in range(len(person)):
        if int(person.frames["frame"][row]) not in frames:
            continue
        frame = person.load(row)
        vertices = body.skinned(body.shaped(person.shape, frame.expression), frame.pose)
        score = overlap(shaded_mesh(vertices, body.faces, frame.camera)[1], frame.mask[0].numpy() > 0.5)
        found.setdefault(str(person.frames["camera"][row]), []).append(score)
    return {name: np.array(scores) for name, scores in found.items()}


def true_overlaps(person, meshes: dict[int, np.ndarray], world_from_capture: np.ndarray) -> np.ndarray:
    """Intersection over union of the true body and the mask, all pictures: clothes and hair keep it below 1."""
    from lca_dataparsers.overlay import shaded_mesh
    from lca_shared.body import get_body_model

    body, scores = get_body_model("anny"), []
    for row, number in enumerate(person.frames["frame"].tolist()):
        if number in meshes and len(meshes[number]) == len(body.template_vertices):
            frame, vertices = person.load(row), torch.from_numpy(_moved(meshes[number], world_from_capture)).float()
            scores.append(overlap(shaded_mesh(vertices, body.faces, frame.camera)[1], frame.mask[0].numpy() > 0.5))
    return np.array(scores)


def overlap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((ours & theirs).sum() / max(1, (ours | theirs).sum()))


def _moved(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    return points @ transform[:3, :3].T + transform[:3, 3]


def run(config: Config) -> RigComparison:
    """Import into a new folder and compare."""
    with tempfile.TemporaryDirectory() as scratch:
        dataset = config.dataset or Path(scratch) / "dataset"
        if not any((dataset / "subjects").glob("*/subject.json")):
            import_capture(config, dataset)
        return compare(config, dataset)


def main() -> None:
    """Print the comparison."""
    config = tyro.cli(Config, description=__doc__)
    if not (config.capture / "ground_truth" / "frames.json").is_file():
        print(f"Skipped: {config.capture} holds no ground_truth/frames.json.")
        return
    found = run(config)
    print(f"{config.capture.name}: {len(found.frames)} moments, {len(found.iou)} cameras")
    print(found.table())


if __name__ == "__main__":
    main()
