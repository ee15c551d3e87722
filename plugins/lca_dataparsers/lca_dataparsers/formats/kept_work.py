"""What an import has finished, kept until its subject is written: a killed run goes on where it stopped.

In the work folder of a subject lie the detectors' masks, what they saw in each picture, the fitted body, and the
pictures that are written already. A run with other settings begins anew.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from lca_dataparsers.formats.bodies import CaptureBody
from lca_dataparsers.formats.capture import Capture, CaptureView
from lca_dataparsers.formats.command import ImportConfig
from lca_dataparsers.processing.observations import ClipObservations
from lca_dataparsers.studio_fit.observe import RigPicture, View
from lca_shared.body import BodyPose
from lca_shared.storage import atomic_path

KEY_FILE, BODY_FILE = "settings.txt", "body.npz"
_IGNORED = ("output_dir", "subject", "split", "licence", "overlay", "overwrite", "model_dir", "workers")
"""Settings that change nothing of what is kept."""
_ARRAYS = ("shape", "expression", "joint_confidence", "face_confidence", "hand_confidence")
_POSE = ("joint_rotations", "root_rotation", "root_translation", "gaze")


class KeptWork:
    """The work folder of a subject; emptied if it is of other settings.

    Args:
        folder: of this subject alone; made if absent.
        config: the command's settings.
        capture: as it will be imported.
    """

    def __init__(self, folder: Path, config: ImportConfig, capture: Capture) -> None:
        self.folder, key = folder, _key(config, capture)
        kept = folder / KEY_FILE
        if not kept.is_file() or kept.read_text() != key:
            shutil.rmtree(folder, ignore_errors=True)
            self.seen.mkdir(parents=True)
            kept.write_text(key)

    @property
    def seen(self) -> Path:
        """Folder of what the detectors saw."""
        return self.folder / "seen"

    @property
    def masks(self) -> Path:
        """Folder of the detectors' masks."""
        return self.folder / "masks"

    @property
    def subject(self) -> Path:
        """Where the subject's folder is put together."""
        return self.folder / "subject"

    def looked(self, view: CaptureView) -> bool:
        """Whether the detectors have looked at a picture."""
        return self._cut(view).is_file()

    def found(self, view: CaptureView, picture: RigPicture) -> View | None:
        """What they saw in it, None for nobody; ``picture`` is without pixels. Call it if :meth:`looked`."""
        with np.load(self._cut(view), allow_pickle=False) as cut:
            if not cut.files:
                return None
            intrinsics, inside, box = cut["intrinsics"], cut["inside"], cut["box"]
        with np.load(self._observation(view), allow_pickle=False) as file:
            observation = replace(ClipObservations.load(self._observation(view)), masks=file["masks"])
        return View(picture, observation, intrinsics, inside, np.zeros((0, 0), np.uint8), box)

    def keep(self, view: CaptureView, found: View | None) -> None:
        """Keep what they saw."""
        if found is not None:
            found.observation.save(self._observation(view))
        arrays = {} if found is None else {name: getattr(found, name) for name in ("intrinsics", "inside", "box")}
        with atomic_path(self._cut(view)) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def body(self) -> CaptureBody | None:
        """The fitted body, if it was."""
        path = self.folder / BODY_FILE
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: torch.from_numpy(file[name]) for name in (*_ARRAYS, *_POSE)}
            rest = json.loads(str(file["rest"]))
        pose = BodyPose(**{name: arrays.pop(name) for name in _POSE})
        return CaptureBody(pose=pose, **arrays, **{**rest, "frames": tuple(rest["frames"])})

    def keep_body(self, body: CaptureBody) -> None:
        """Keep the fitted body."""
        arrays = {name: getattr(body, name).numpy() for name in _ARRAYS}
        arrays |= {name: getattr(body.pose, name).numpy() for name in _POSE}
        rest = {name: getattr(body, name) for name in ("frames", "fitted", "unit", "model", "report")}
        with atomic_path(self.folder / BODY_FILE) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays, rest=np.array(json.dumps(rest)))

    def _observation(self, view: CaptureView) -> Path:
        return self.seen / f"{view.frame:06d}_{view.camera}.seen.npz"

    def _cut(self, view: CaptureView) -> Path:
        return self.seen / f"{view.frame:06d}_{view.camera}.cut.npz"


def _key(config: ImportConfig, capture: Capture) -> str:
    from lca_dataparsers import __version__

    settings = {name: str(value) for name, value in asdict(config).items() if name not in _IGNORED}
    views = [(view.frame, view.camera, view.image.name(capture.root)) for view in capture.views]
    return hashlib.sha256(repr([__version__, sorted(settings.items()), views]).encode()).hexdigest()
