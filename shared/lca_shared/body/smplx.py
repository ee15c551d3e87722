"""SMPL-X as a :class:`~lca_shared.body.compact_body.CompactBody`, from the user's licensed file.

The file (``SMPLX_NEUTRAL.npz`` and its male and female siblings, from https://smpl-x.is.tue.mpg.de after registration)
is Y up and faces +Z; here it is Z up and faces -Y. Shape and expression are the first ten components of each;
corrective shapes that depend on the pose (``posedirs``) are left out: bodies are skinned linearly.
"""

from pathlib import Path

import numpy as np
import torch

from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Bool, Float, Tensor
from lca_shared.weights import find_own

FILE = "smplx/SMPLX_NEUTRAL.npz"
"""Where the model lies under a model folder."""
_WAY_OUT = (
    "SMPL-X may not be passed on: register at https://smpl-x.is.tue.mpg.de, download SMPLX_NEUTRAL.npz, put it at "
    "<folder>/smplx/, and name that folder with LCA_MODEL_DIR."
)
COMPONENTS = 10
"""Of shape and of expression."""
FINGERS = ("index", "middle", "pinky", "ring", "thumb")
JOINTS: tuple[str, ...] = (
    *("pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle"),
    *("spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("jaw", "left_eye", "right_eye"),
    *(f"{side}_{finger}{part}" for side in ("left", "right") for finger in FINGERS for part in (1, 2, 3)),
)
EYES = ("left_eye", "right_eye")
OURS_FROM_SMPLX = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""From Y up, facing +Z, to Z up, facing -Y."""
FULL_SHAPES = 300
"""Components of shape in files that hold 400: the other 100 are expressions."""


def load_smplx(path: Path | None = None) -> CompactBody:
    """SMPL-X from its file (float32, CPU).

    Args:
        path: of the ``.npz``; by default ``smplx/SMPLX_NEUTRAL.npz`` in the model folders.

    Raises:
        MissingWeightsError: it is in none of the folders.
        UserError: it is not such a file.
    """
    path = path or find_own(FILE, _WAY_OUT)
    try:
        with np.load(path, allow_pickle=False) as file:
            names = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
            arrays = {name: np.asarray(file[name]) for name in names}
            coordinates = (np.asarray(file["vt"]), np.asarray(file["ft"])) if {"vt", "ft"} <= set(file.files) else None
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not an SMPL-X model ({error}). Download SMPLX_NEUTRAL.npz again.") from error
    vertices, directions, regressor = arrays["v_template"], arrays["shapedirs"], arrays["J_regressor"]
    count = len(vertices)
    if vertices.shape != (count, 3) or directions.shape[:2] != (count, 3) or regressor.shape != (len(JOINTS), count):
        raise UserError(
            f"{path} is not an SMPL-X model: its arrays have other sizes. Download SMPLX_NEUTRAL.npz again."
        )
    if directions.shape[2] < 2 * COMPONENTS or arrays["weights"].shape != (count, len(JOINTS)):
        raise UserError(f"{path} is not an SMPL-X model: it has too few components. Download SMPLX_NEUTRAL.npz again.")
    turn, regress = OURS_FROM_SMPLX.double(), torch.from_numpy(regressor.astype(np.float64))
    template = torch.from_numpy(vertices.astype(np.float64)) @ turn.T
    moved = torch.einsum("ij,vjs->svi", turn, torch.from_numpy(directions.astype(np.float64)))
    first = FULL_SHAPES if directions.shape[2] > FULL_SHAPES else directions.shape[2] - COMPONENTS
    shape, expression = moved[:COMPONENTS], moved[first : first + COMPONENTS]
    faces = torch.from_numpy(arrays["f"].astype(np.int64))
    weights = torch.from_numpy(arrays["weights"].astype(np.float32))
    parents = [int(parent) for parent in arrays["kintree_table"][0].astype(np.int64)]
    joints = regress @ template
    return CompactBody(
        name="smplx",
        joint_names=JOINTS,
        joint_parents=(-1, *parents[1:]),
        driven_joints=tuple(name for name in JOINTS[1:] if name not in EYES),
        eye_joints=EYES,
        shape_names=tuple(f"beta_{i:02d}" for i in range(COMPONENTS)),
        expression_names=tuple(f"smplx_expression_{i:02d}" for i in range(COMPONENTS)),
        faces=faces,
        template_vertices=template.float(),
        template_joints=joints.float(),
        skinning_weights=weights,
        regions=_regions(template.float(), joints.float(), weights),
        shape_vertices=shape.float(),
        shape_joints=(regress @ shape).float(),
        expression_index=torch.arange(count),
        expression_vertices=expression.float(),
        expression_joints=(regress @ expression).float(),
        texture_coordinates=torch.zeros(1, 2) if coordinates is None else torch.from_numpy(coordinates[0]).float(),
        face_texture_coordinates=(
            torch.zeros_like(faces) if coordinates is None else torch.from_numpy(coordinates[1].astype(np.int64))
        ),
    )


def pose_from_smplx(
    body: CompactBody,
    betas: Float[Tensor, "components"],
    full_pose: Float[Tensor, "frames 55 3"],
    translation: Float[Tensor, "frames 3"],
    world_from_smplx: Float[Tensor, "4 4"],
) -> BodyPose:
    """Poses in SMPL-X's own parameters as a :class:`BodyPose`.

    Args:
        body: from :func:`load_smplx`.
        betas: shape.
        full_pose: axis and angle of all joints in :data:`JOINTS`' order, in SMPL-X's axes.
        translation: added to the posed vertices, metres.
        world_from_smplx: rigid, from the world that the parameters put the body in (for a capture: its own) to ours.
    """
    turn = OURS_FROM_SMPLX.to(full_pose)
    local = full_pose @ turn.T
    rest = body.shaped(betas).joints[0].to(full_pose)
    there, moved = world_from_smplx[:3, :3].to(full_pose), world_from_smplx[:3, 3].to(full_pose)
    root = there @ rotation_vector_to_matrix(full_pose[:, 0]) @ turn.T
    place = (rest @ turn + translation) @ there.T + moved
    eyes = local[:, [JOINTS.index(name) for name in EYES]]
    looks = rotation_vector_to_matrix(eyes) @ local.new_tensor([0.0, -1.0, 0.0])
    gaze = torch.stack([torch.atan2(looks[..., 0], -looks[..., 1]), torch.asin(looks[..., 2].clamp(-1, 1))], dim=-1)
    driven = [JOINTS.index(name) for name in body.driven_joints]
    return BodyPose(local[:, driven], matrix_to_rotation_vector(root), place - rest, gaze)


def _regions(
    vertices: Float[Tensor, "vertices 3"], joints: Float[Tensor, "joints 3"], weights: Float[Tensor, "vertices joints"]
) -> dict[str, Bool[Tensor, "vertices"]]:
    """Vertex masks read off the skinning weights; nothing in the file tells the inside of the mouth."""

    def moved_by(names: tuple[str, ...]) -> Bool[Tensor, "vertices"]:
        return weights[:, [JOINTS.index(name) for name in names]].sum(dim=1) > 0.5

    hands = {
        side: moved_by((f"{side}_wrist", *(n for n in JOINTS if n.startswith(side) and n[-1] in "123")))
        for side in ("left", "right")
    }
    left, right = (moved_by((name,)) for name in EYES)
    whole = moved_by(("head", "jaw", *EYES))
    head = whole & ~left & ~right
    eyes = joints[[JOINTS.index(name) for name in EYES]].mean(dim=0)
    front = (vertices[:, 1] < eyes[1] + 0.07) & (vertices[:, 2] < eyes[2] + 0.07)
    nothing = torch.zeros(len(vertices), dtype=torch.bool)
    return {
        "head": head,
        "face": head & front,
        "left_eye": left,
        "right_eye": right,
        "eyes": left | right,
        "eye_sockets": nothing,
        "left_hand": hands["left"],
        "right_hand": hands["right"],
        "hands": hands["left"] | hands["right"],
        "mouth_interior": nothing,
        "hidden": nothing,
        "body": ~(whole | hands["left"] | hands["right"]),
    }
