"""How near our body comes to real MHR bodies: ``python benchmarks/mhr_fits.py --folder FOLDER``.

FOLDER holds fits of SAM 3D Body (``img_subj*.npz`` with vertices and joints of MHR, one picture each) and a mesh of
MHR's topology for its faces (``mhr_face_mask.ply``): ``tools/`` of facebookresearch/MHR has both.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
import tyro

if __package__ in (None, ""):  # run as a script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe
from benchmarks.studio_truth import distances

CAMERA = np.array([1.0, -1.0, -1.0])
"""SAM 3D Body's results are in a camera's axes; MHR's own are Y up."""
KEYPOINT_EYES = (("L", 1), ("R", 2))
"""Of its 70 keypoints, which the fit does not see."""


@dataclass(frozen=True)
class Config:
    """What to measure."""

    folder: Path
    """With the fits and the mesh."""


def main(config: Config) -> None:
    from lca_dataparsers.studio_fit.from_mhr import PARTNERS, fit_to_mhr
    from lca_shared.body import get_body_model
    from lca_shared.body.mhr import JOINTS
    from lca_shared.body.smplx import OURS_FROM_SMPLX

    faces = np.asarray(o3d.io.read_triangle_mesh(config.folder / "mhr_face_mask.ply").triangles)
    body, turn = get_body_model("anny"), OURS_FROM_SMPLX.numpy().T
    outer = ~(body.regions["hidden"] | body.regions["eyes"]).numpy()
    print(f"Body fitted to MHR bodies — {describe()}; mm")
    print("fit | ours from theirs: median, 90th percentile | theirs from ours | joints of both rigs | eyes | seconds")
    for path in sorted(config.folder.glob("img_subj*.npz")):
        fit = np.load(path)
        vertices, joints, points = (
            (fit[name] * CAMERA) @ turn for name in ("pred_vertices", "pred_joint_coords", "pred_keypoints_3d")
        )
        start = time.perf_counter()
        found = fit_to_mhr(vertices[None], joints[None])
        took = time.perf_counter() - start
        shaped = body.shaped(found.shape)
        mesh, posed = (
            body.skinned(shaped, found.pose)[0].numpy(),
            body.posed(shaped.joints, found.pose).joints[0].numpy(),
        )
        ours = 1e3 * distances(vertices, faces, mesh[outer])
        theirs = 1e3 * distances(mesh, body.faces.numpy(), vertices)
        pairs = [(body.joint_names.index(a), JOINTS.index(b)) for a, b in PARTNERS.items()]
        apart = 1e3 * np.median([np.linalg.norm(posed[a] - joints[b]) for a, b in pairs])
        eyes = [np.linalg.norm(posed[body.joint_names.index(f"eye.{side}")] - points[k]) for side, k in KEYPOINT_EYES]
        print(
            f"{path.stem} | {np.median(ours):.1f}, {np.quantile(ours, 0.9):.1f} | {np.median(theirs):.1f}, "
            f"{np.quantile(theirs, 0.9):.1f} | {apart:.1f} | {1e3 * np.mean(eyes):.1f} | {took:.1f}"
        )


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
