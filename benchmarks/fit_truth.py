"""Accuracy in 3D of ``lca-data process`` with one camera: ``python benchmarks/fit_truth.py --capture FOLDER``.

FOLDER holds a capture in the Goliath layout that another program rendered, and the truth beside it in ``ground_truth``
(``frames.json`` with ``joint_names`` and ``joint_world_4x4``, ``cameras.json``). The pictures of one camera are copied
out and processed as a user would; then the joints that both rigs name are compared in the camera's axes, in metres:
*root-aligned* moves the two roots onto each other and nothing else, *similarity* also turns and scales, as fits the
joints of the body without the fingers best (Umeyama).
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

BODY_JOINTS = (
    "spine",
    "neck01",
    "head",
    "clavicle",
    "upperarm01",
    "lowerarm01",
    "wrist",
    "upperleg01",
    "lowerleg01",
    "foot",
)
"""By the start of their names: what is compared. Fingers come apart, in one figure of their own."""


@dataclass(frozen=True)
class Config:
    """What to measure."""

    capture: Path
    """The folder that holds ``ground_truth`` and the capture."""
    camera: str = "400101"
    """One that sees the whole body; the default looks at it from the front."""
    frames: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    folder_holds: Literal["frames", "photos"] = "photos"
    """How the pictures are given to the command. Poses that have nothing to do with each other are photos."""
    keep: Path | None = None
    """Where the processed dataset is left to be looked at."""


@dataclass(frozen=True)
class Truth:
    """Joints of the rendered person in the camera's axes, by frame."""

    names: tuple[str, ...]
    joints: dict[int, np.ndarray]
    """[joints, 3] metres, x right, y down, z forward."""


def read_truth(config: Config) -> Truth:
    """The truth of the frames wanted."""
    folder = config.capture / "ground_truth"
    content = json.loads((folder / "frames.json").read_text())
    cameras = {camera["id"]: camera for camera in json.loads((folder / "cameras.json").read_text())}
    camera = np.array(cameras[config.camera]["world_to_camera_3x4_m"])
    joints = {}
    for frame in content["frames"]:
        world = np.array(frame["joint_world_4x4"])[:, :3, 3]
        joints[int(frame["frame"])] = world @ camera[:, :3].T + camera[:, 3]
    return Truth(tuple(content["joint_names"]), {frame: joints[frame] for frame in config.frames})


def copy_pictures(config: Config, folder: Path) -> None:
    """The camera's pictures of the frames wanted, as files."""
    archive = next(config.capture.glob(f"*/image/cam{config.camera}.zip"))
    with zipfile.ZipFile(archive) as pictures:
        for frame in config.frames:
            name = f"cam{config.camera}/{frame:06d}.avif"
            (folder / Path(name).name).write_bytes(pictures.read(name))


def fitted_joints(dataset: Path) -> tuple[tuple[str, ...], dict[int, np.ndarray]]:
    """Names, and by position of the picture the joints [joints, 3] of the processed person in the camera's axes."""
    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_shared.body import get_body_model
    from lca_shared.cameras import transform_points

    opened = AvatarDataset.open(dataset)
    (person,) = opened.subjects.values()
    body = get_body_model(opened.info.body_model)
    table, rest, found = person.frames, body.shaped(person.shape).joints, {}
    for row in range(len(person)):
        camera, pose = table.cameras([row]), table.poses([row])
        joints = transform_points(camera.camera_from_world, body.posed(rest, pose).joints)
        found[int(table["frame"][row])] = joints[0].numpy()
    return tuple(body.joint_names), found


def errors(
    ours: np.ndarray, theirs: np.ndarray, root: tuple[np.ndarray, np.ndarray], guide: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances [joints] after moving the roots onto each other, and after the similarity that fits ``guide`` best.

    Args:
        ours: [joints, 3].
        theirs: [joints, 3].
        root: ours and theirs, [3].
        guide: [joints] bool.
    """
    aligned = np.linalg.norm((ours - root[0]) - (theirs - root[1]), axis=1)
    return aligned, np.linalg.norm(similar(ours, theirs, guide) - theirs, axis=1)


def similar(points: np.ndarray, target: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """``points`` [n, 3] turned, scaled and moved so that ``guide`` [n] of them lie nearest to ``target`` (Umeyama)."""
    middle, aim = points[guide].mean(axis=0), target[guide].mean(axis=0)
    a, b = points[guide] - middle, target[guide] - aim
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(sign)).sum() / (a**2).sum()
    return scale * (points - middle) @ (u @ sign @ vt).T + aim


@dataclass(frozen=True)
class Comparison:
    """Errors in millimetres, [frames, joints]."""

    frames: tuple[int, ...]
    """Those that were fitted."""
    names: tuple[str, ...]
    root_aligned: np.ndarray
    similarity: np.ndarray

    def table(self) -> str:
        """A few lines to read."""
        finger = np.array([name.startswith("finger") for name in self.names])
        lines = []
        for label, values in (("root-aligned", self.root_aligned), ("similarity", self.similarity)):
            for kind, chosen in (("body joints", ~finger), ("finger joints", finger)):
                part = values[:, chosen]
                middle, high = np.median(part), np.quantile(part, 0.9)
                lines.append(f"{label:13} {kind:14} median {middle:6.1f} mm   90th percentile {high:6.1f} mm")
        body, aligned = self.root_aligned[:, ~finger], self.similarity[:, ~finger]
        for row, frame in enumerate(self.frames):
            both = f"{np.median(body[row]):6.1f} / {np.median(aligned[row]):6.1f}"
            lines.append(f"frame {frame}: body joints, root-aligned / similarity, median {both} mm")
        return "\n".join(lines)


def compare(names: tuple[str, ...], ours: dict[int, np.ndarray], truth: Truth, frames: tuple[int, ...]) -> Comparison:
    """Fitted joints by position of the picture in ``frames`` against the truth.

    Raises:
        ValueError: the rigs share no joints, or nothing was fitted.
    """
    common = [name for name in names if name in truth.names and name.startswith((*BODY_JOINTS, "finger"))]
    if not common or not ours:
        raise ValueError("nothing to compare")
    mine, right = [names.index(name) for name in common], [truth.names.index(name) for name in common]
    guide = np.array([not name.startswith("finger") for name in common])
    roots = names.index("root"), truth.names.index("root")
    aligned, similarity = [], []
    for position in sorted(ours):
        joints, real = ours[position], truth.joints[frames[position]]
        off, off_similar = errors(joints[mine], real[right], (joints[roots[0]], real[roots[1]]), guide)
        aligned.append(1e3 * off)
        similarity.append(1e3 * off_similar)
    fitted = tuple(frames[position] for position in sorted(ours))
    return Comparison(fitted, tuple(common), np.stack(aligned), np.stack(similarity))


def run(config: Config) -> Comparison:
    """Process the pictures of one camera in a new folder and compare.

    Raises:
        subprocess.CalledProcessError: the command failed; what it said is on standard error.
    """
    with tempfile.TemporaryDirectory() as scratch:
        pictures, dataset = Path(scratch) / "pictures", config.keep or Path(scratch) / "dataset"
        pictures.mkdir()
        copy_pictures(config, pictures)
        command = [sys.executable, "-m", "lca_dataparsers.cli", "process", str(pictures), "--output-dir", str(dataset)]
        command += ["--folder-holds", config.folder_holds]
        if config.folder_holds == "frames":
            command += ["--fps", "2"]  # poses far apart in time
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        names, joints = fitted_joints(dataset)
    return compare(names, joints, read_truth(config), config.frames)


def main() -> None:
    """Print the comparison."""
    config = tyro.cli(Config, description=__doc__)
    if not (config.capture / "ground_truth" / "frames.json").is_file():
        print(f"Skipped: {config.capture} holds no ground_truth/frames.json.")
        return
    found = run(config)
    print(f"camera {config.camera}, given as {config.folder_holds}: {len(found.frames)} of {len(config.frames)} fitted")
    print(found.table())


if __name__ == "__main__":
    main()
