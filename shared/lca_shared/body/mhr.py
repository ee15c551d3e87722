"""MHR (Momentum Human Rig, Apache-2.0) from the user's ``mhr_model.pt`` behind :class:`lca_shared.body.BodyModel`.

The published TorchScript module takes identity [n, 45], model parameters [n, 204] (136 of pose, 68 of scale) and
expression [n, 72], and gives vertices [n, vertices, 3] and a skeleton state [n, 127, 8] (position, quaternion x y z w,
scale), centimetres, Y up, facing +Z (facebookresearch/MHR, ``demo.py``, ``tools/torchscript``).

The adapter is linear: identities and expressions exactly, scales (bone lengths, powers of two in MHR) to first order;
skinning is linear, without MHR's pose correctives. :attr:`MHRModel.module` gives the exact surface.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.body.smplx import OURS_FROM_SMPLX as OURS_FROM_MHR
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_rotation_vector, quaternion_to_matrix
from lca_shared.tensors import Bool, Float, Tensor
from lca_shared.weights import find_own

FILE = "mhr/mhr_model.pt"
"""Where the model lies under a model folder."""
_WAY_OUT = (
    "Download MHR's assets from https://github.com/facebookresearch/MHR/releases (assets.zip), put mhr_model.pt at "
    "<folder>/mhr/, and name that folder with LCA_MODEL_DIR."
)
IDENTITIES, PARAMETERS, EXPRESSIONS = 45, 204, 72
POSE_PARAMETERS = 136
"""Of the model parameters; the rest are scales."""
CENTIMETRE = 0.01
SCALE_STEP = 0.05
"""Half width of the difference by which scales are made linear."""


def _hand(side: str) -> tuple[str, ...]:
    parts = {"pinky": "0123", "ring": "123", "middle": "123", "index": "123", "thumb": "0123"}
    fingers = (f"{side}_{finger}{part}" for finger, of in parts.items() for part in (*of, "_null"))
    return (*(f"{side}_{name}" for name in ("clavicle", "uparm", "lowarm", "wrist_twist", "wrist")), *fingers)


def _leg(side: str) -> tuple[str, ...]:
    names = ("upleg", "lowleg", "foot", "talocrural", "subtalar", "transversetarsal", "ball")
    twists = (*(f"lowleg_twist{i}_proc" for i in range(1, 5)), *(f"upleg_twist{i}_proc" for i in range(5)))
    return tuple(f"{side}_{name}" for name in (*names, *twists))


def _arm(side: str) -> tuple[str, ...]:
    twists = (*(f"lowarm_twist{i}_proc" for i in range(1, 5)), *(f"uparm_twist{i}_proc" for i in range(5)))
    return (*_hand(side), *(f"{side}_{name}" for name in twists))


JOINTS: tuple[str, ...] = (
    *("body_world", "root", *_leg("l"), *_leg("r"), "c_spine0", "c_spine1", "c_spine2", "c_spine3"),
    *(*_arm("r"), *_arm("l"), "c_neck", "c_neck_twist1_proc", "c_neck_twist0_proc", "c_head", "c_jaw", "c_teeth"),
    *("c_jaw_null", *(f"c_tongue{i}" for i in range(5)), "r_eye", "r_eye_null", "l_eye", "l_eye_null", "c_head_null"),
)
"""The rig's 127 joints in its order."""
EYES = ("l_eye", "r_eye")


@dataclass(frozen=True)
class MHRModel:
    """MHR as it was published, and as a body of this package."""

    module: Any
    """The TorchScript module."""
    body: CompactBody
    """Its coefficients of shape are 45 identities and 68 scales."""

    def posed(
        self,
        identity: Float[Tensor, "n 45"],
        parameters: Float[Tensor, "n 204"],
        expression: Float[Tensor, "n 72"],
    ) -> tuple[Float[Tensor, "n vertices 3"], Float[Tensor, "n 127 3"], Float[Tensor, "n 127 3 3"]]:
        """Exact vertices and joint positions (metres) and rotations of the joints, Z up, facing -Y."""
        return _run(self.module, identity, parameters, expression)

    def pose(self, parameters: Float[Tensor, "n 204"]) -> BodyPose:
        """MHR's model parameters as poses of :attr:`body`; expressions do not turn joints."""
        count = len(parameters)
        nothing = parameters.new_zeros(count, IDENTITIES), parameters.new_zeros(count, EXPRESSIONS)
        rest = parameters.clone()
        rest[:, :POSE_PARAMETERS] = 0.0
        _, positions, turned = _run(self.module, nothing[0], parameters, nothing[1])
        _, resting, untouched = _run(self.module, nothing[0], rest, nothing[1])
        world = turned @ untouched.mT
        parents = list(self.body.joint_parents)
        local = world[:, parents].mT @ world
        local[:, 0] = world[:, 0]
        # the rig moves its second joint, "root"; a body of this package moves its first
        moved = positions[:, 1] - (world[:, 0] @ (resting[:, 1] - resting[:, 0])[..., None])[..., 0] - resting[:, 0]
        eyes = local[:, [JOINTS.index(name) for name in EYES]] @ local.new_tensor([0.0, -1.0, 0.0])
        gaze = torch.stack([torch.atan2(eyes[..., 0], -eyes[..., 1]), torch.asin(eyes[..., 2].clamp(-1, 1))], dim=-1)
        driven = [JOINTS.index(name) for name in self.body.driven_joints]
        return BodyPose(
            matrix_to_rotation_vector(local[:, driven]), matrix_to_rotation_vector(world[:, 0]), moved, gaze
        )

    def shape(self, identity: Float[Tensor, "45"], parameters: Float[Tensor, "204"]) -> Float[Tensor, "113"]:
        """Coefficients of shape of :attr:`body`."""
        return torch.cat([identity, parameters[POSE_PARAMETERS:]])


def load_mhr(path: Path | None = None) -> MHRModel:
    """MHR from its TorchScript file (float32, CPU).

    Args:
        path: of the file; by default ``mhr/mhr_model.pt`` in the model folders.

    Raises:
        MissingWeightsError: it is in none of the folders.
        UserError: it is not such a file.
    """
    path = path or find_own(FILE, _WAY_OUT)
    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
        buffers = dict(module.named_buffers())
        parts = {name: _one(buffers, name) for name in _BUFFERS}
        body = _body(module, parts)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{path} is not MHR's mhr_model.pt ({reason}). Download it again.") from error
    return MHRModel(module, body)


def load_mhr_body() -> CompactBody:
    """MHR's body alone, as the registry of body models gives it."""
    return load_mhr().body


_BUFFERS = (
    "skeleton.joint_parents",
    "mesh.faces",
    "mesh.texcoords",
    "mesh.texcoord_faces",
    "linear_blend_skinning.skin_indices_flattened",
    "linear_blend_skinning.skin_weights_flattened",
    "linear_blend_skinning.vert_indices_flattened",
)
"""What is read from the module beside its results; the names are those of Momentum's ``Character``."""


def _one(buffers: dict[str, Tensor], name: str) -> Tensor:
    found = [value for key, value in buffers.items() if key.endswith(name)]
    if len(found) != 1:
        raise KeyError(f"it has {len(found)} buffers called {name}")
    return found[0].detach().cpu()


def _run(
    module: Any,
    identity: Float[Tensor, "n identities"],
    parameters: Float[Tensor, "n parameters"],
    expression: Float[Tensor, "n expressions"],
) -> tuple[Float[Tensor, "n vertices 3"], Float[Tensor, "n joints 3"], Float[Tensor, "n joints 3 3"]]:
    with torch.no_grad(), torch.jit.optimized_execution(False):  # compiling costs more than these few calls
        vertices, state = module(identity.float(), parameters.float(), expression.float())[:2]
    turn = OURS_FROM_MHR
    if state.shape[1:] != (len(JOINTS), 8):
        raise ValueError(f"its skeleton state is {tuple(state.shape[1:])}, not {(len(JOINTS), 8)}")
    rotation = turn @ quaternion_to_matrix(state[..., [6, 3, 4, 5]]) @ turn.mT
    return CENTIMETRE * vertices @ turn.mT, CENTIMETRE * state[..., :3] @ turn.mT, rotation


def _body(module: Any, parts: dict[str, Tensor]) -> CompactBody:
    def at(identity: Tensor, scales: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        count = max(len(identity), len(scales), len(expression))
        parameters = torch.cat([torch.zeros(count, POSE_PARAMETERS), scales.expand(count, -1)], dim=1)
        vertices, joints, _ = _run(module, identity.expand(count, -1), parameters, expression.expand(count, -1))
        return vertices, joints

    scales = PARAMETERS - POSE_PARAMETERS
    no_identity, no_scale, calm = torch.zeros(1, IDENTITIES), torch.zeros(1, scales), torch.zeros(1, EXPRESSIONS)
    template, joints = (part[0] for part in at(no_identity, no_scale, calm))
    identities = at(torch.eye(IDENTITIES), no_scale, calm)
    longer, shorter = (at(no_identity, sign * SCALE_STEP * torch.eye(scales), calm) for sign in (1, -1))
    expressions = at(no_identity, no_scale, torch.eye(EXPRESSIONS))
    shape_vertices, shape_joints = (
        torch.cat([identities[k] - base, (longer[k] - shorter[k]) / (2 * SCALE_STEP)])
        for k, base in enumerate((template, joints))
    )
    weights = torch.zeros(len(template), len(JOINTS))
    index = parts["linear_blend_skinning.vert_indices_flattened"].long()
    joint = parts["linear_blend_skinning.skin_indices_flattened"].long()
    weights.index_put_((index, joint), parts["linear_blend_skinning.skin_weights_flattened"].float(), accumulate=True)
    weights /= weights.sum(dim=1, keepdim=True).clamp(min=1e-6)
    parents = [int(parent) for parent in parts["skeleton.joint_parents"]]
    return CompactBody(
        name="mhr",
        joint_names=JOINTS,
        joint_parents=(-1, *parents[1:]),
        driven_joints=tuple(name for name in JOINTS[1:] if name not in EYES and not name.endswith("_null")),
        eye_joints=EYES,
        shape_names=(
            *(f"identity_{i:02d}" for i in range(IDENTITIES)),
            *(f"scale_{i:02d}" for i in range(scales)),
        ),
        expression_names=tuple(f"mhr_expression_{i:02d}" for i in range(EXPRESSIONS)),
        faces=parts["mesh.faces"].long(),
        template_vertices=template,
        template_joints=joints,
        skinning_weights=weights,
        regions=_regions(template, joints, weights),
        shape_vertices=shape_vertices,
        shape_joints=shape_joints,
        expression_index=torch.arange(len(template)),
        expression_vertices=expressions[0] - template,
        expression_joints=expressions[1] - joints,
        texture_coordinates=parts["mesh.texcoords"].float(),
        face_texture_coordinates=parts["mesh.texcoord_faces"].long(),
    )


def _regions(
    vertices: Float[Tensor, "vertices 3"], joints: Float[Tensor, "joints 3"], weights: Float[Tensor, "vertices joints"]
) -> dict[str, Bool[Tensor, "vertices"]]:
    """Vertex masks read off the skinning weights."""

    def moved_by(*begins: str) -> Bool[Tensor, "vertices"]:
        return weights[:, [i for i, name in enumerate(JOINTS) if name.startswith(begins)]].sum(dim=1) > 0.5

    fingers = ("pinky", "ring", "middle", "index", "thumb")
    left_hand, right_hand = (moved_by(f"{s}_wrist", *(f"{s}_{name}" for name in fingers)) for s in "lr")
    left, right = moved_by("l_eye"), moved_by("r_eye")
    mouth = moved_by("c_teeth", "c_tongue")
    whole = moved_by("c_head", "c_jaw", "c_teeth", "c_tongue", "l_eye", "r_eye")
    head = whole & ~left & ~right & ~mouth
    eyes = joints[[JOINTS.index(name) for name in EYES]].mean(dim=0)
    front = (vertices[:, 1] < eyes[1] + 0.07) & (vertices[:, 2] < eyes[2] + 0.07)
    return {
        "head": head,
        "face": head & front,
        "left_eye": left,
        "right_eye": right,
        "eyes": left | right,
        "eye_sockets": torch.zeros_like(left),
        "left_hand": left_hand,
        "right_hand": right_hand,
        "hands": left_hand | right_hand,
        "mouth_interior": mouth,
        "hidden": mouth,
        "body": ~(whole | left_hand | right_hand),
    }
