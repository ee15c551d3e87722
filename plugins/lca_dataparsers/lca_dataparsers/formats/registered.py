"""A body that a capture or a user brings, in the rows of the dataset: in its own model, or ours fitted to it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lca_dataparsers.formats.bodies import CaptureBody
from lca_dataparsers.formats.capture import Capture, Registration
from lca_dataparsers.formats.registrations import MHR_PLACE, MHR_SURFACE
from lca_shared.body import BodyPose, get_body_model
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

CAMERA_FROM_MHR = np.diag([1.0, -1.0, -1.0])
"""MHR's axes (y up) to a camera's, of results in a camera's axes."""


def registration_of(capture: Capture) -> Registration:
    """The body that comes with a capture.

    Raises:
        UserError: there is none, or none of a model that is known here.
    """
    if capture.registration is None or capture.registration.model not in ("smplx", "mhr"):
        raise UserError(
            f"{capture.name} comes without a body in a model that is known here. Import it with --body fit, or name "
            "files of SMPL-X or MHR with --registration."
        )
    return capture.registration


def registered_body(capture: Capture) -> CaptureBody:
    """The body that comes with the capture, in its own model; expressions are the model's.

    Where nothing tells how sure it is, everything counts as seen.

    Raises:
        UserError: there is none, or it has none of the moments.
        MissingWeightsError: the model's file is nowhere.
    """
    known = registration_of(capture)
    rows = _rows(capture, known)
    if known.model == "mhr":
        shape, pose, expression = _mhr_body(capture, known, rows)
    else:
        shape, pose, expression = _smplx_body(capture, known, rows)
    report = {"body": f"the capture's own registration ({known.model})"}
    return _believed(known.model, shape, tuple(known.frames[row] for row in rows), pose, expression, report)


def body_from_registration(capture: Capture, fitted: Callable[[float], None] = lambda share: None) -> CaptureBody:
    """Our default body fitted to the surface of the one that comes with the capture (MHR).

    Raises:
        UserError: there is none, it is of another model, or it has none of the moments.
        MissingWeightsError: neither its files hold the surface, nor is MHR's module there.
    """
    from lca_dataparsers.studio_fit.from_mhr import fit_to_mhr

    known = registration_of(capture)
    if known.model != "mhr":
        raise UserError(
            f"{capture.name}: its registration is {known.model}'s, and only MHR's is brought to our body. Import it "
            "with --body registration or --body fit."
        )
    rows = _rows(capture, known)
    placed = _placing(capture, known, rows)
    vertices, joints = (placed.moved(points) for points in _surface(known, rows))
    found = fit_to_mhr(vertices, joints, fitted)
    body = get_body_model("anny")
    report = {"body": "fitted to the capture's registration (mhr)", "registration_residual": found.residual.tolist()}
    expression = torch.zeros(len(rows), len(body.expression_names))
    return _believed("anny", found.shape, tuple(known.frames[row] for row in rows), found.pose, expression, report)


@dataclass(frozen=True)
class _Placing:
    """Rigid motions of MHR's world at some moments to the dataset's."""

    turn: Float[np.ndarray, "moments 3 3"]
    shift: Float[np.ndarray, "moments 3"]
    """Metres."""

    def moved(self, points: Float[np.ndarray, "moments points 3"]) -> Float[np.ndarray, "moments points 3"]:
        """Points of MHR's axes, metres."""
        return points @ self.turn.transpose(0, 2, 1) + self.shift[:, None]


def _placing(capture: Capture, known: Registration, rows: list[int]) -> _Placing:
    count = len(rows)
    if known.camera is None:
        world = capture.world_from_capture
        assert world is not None  # set when the capture was turned upright
        return _Placing(np.tile(world[:3, :3], (count, 1, 1)), np.tile(world[:3, 3], (count, 1)))
    if capture.moving:
        poses = {view.frame: capture.cameras[view.camera].camera_from_world for view in capture.views}
        cameras = np.stack([poses[known.frames[row]] for row in rows])
    else:
        cameras = np.tile(capture.cameras[known.camera].camera_from_world, (count, 1, 1))
    world_from_camera = np.linalg.inv(cameras)
    turn = world_from_camera[:, :3, :3]
    shift = np.einsum("nij,nj->ni", turn, known.parameters[MHR_PLACE][rows]) + world_from_camera[:, :3, 3]
    return _Placing(turn @ CAMERA_FROM_MHR, shift)


def _surface(known: Registration, rows: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and joints [moments, n, 3] in MHR's axes, metres."""
    from lca_shared.body.mhr import OURS_FROM_MHR, load_mhr

    if set(MHR_SURFACE) <= set(known.parameters) and known.camera is not None:
        vertices, joints = (known.parameters[name][rows] @ CAMERA_FROM_MHR for name in MHR_SURFACE)
        return vertices, joints
    identity, parameters, expression = _mhr_parameters(known, rows)
    posed = load_mhr().posed(identity, parameters, expression)[:2]
    vertices, joints = ((points @ OURS_FROM_MHR).double().numpy() for points in posed)
    return vertices, joints


def _mhr_parameters(known: Registration, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    identity, parameters, expression = (
        torch.from_numpy(known.parameters[name][rows]).float()
        for name in ("shape_params", "mhr_model_params", "expr_params")
    )
    return identity, parameters, expression


def _mhr_body(capture: Capture, known: Registration, rows: list[int]) -> tuple[Tensor, BodyPose, Tensor]:
    from lca_shared.body.mhr import OURS_FROM_MHR, load_mhr

    placed = _placing(capture, known, rows)
    model = load_mhr()
    identity, parameters, expression = _mhr_parameters(known, rows)
    shape = torch.stack([model.shape(*row) for row in zip(identity, parameters, strict=True)]).mean(dim=0)
    pose = model.pose(parameters)
    turn = torch.from_numpy(placed.turn).float() @ OURS_FROM_MHR.mT
    rest = model.body.shaped(shape).joints[0]
    place = (turn @ (rest + pose.root_translation)[..., None])[..., 0] + torch.from_numpy(placed.shift).float()
    root = matrix_to_rotation_vector(turn @ rotation_vector_to_matrix(pose.root_rotation))
    return shape, BodyPose(pose.joint_rotations, root, place - rest, pose.gaze), expression


def _smplx_body(capture: Capture, known: Registration, rows: list[int]) -> tuple[Tensor, BodyPose, Tensor]:
    from lca_shared.body.smplx import COMPONENTS, pose_from_smplx

    body = get_body_model("smplx")

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(np.asarray(known.parameters[name], np.float32))

    betas = tensor("betas").reshape(-1, tensor("betas").shape[-1])[:, :COMPONENTS].mean(dim=0)
    assert capture.world_from_capture is not None  # set when the capture was turned upright
    world = torch.from_numpy(capture.world_from_capture).float()
    pose = pose_from_smplx(body, betas, tensor("fullpose")[rows], tensor("transl")[rows], world)
    return betas, pose, tensor("expression")[rows][:, :COMPONENTS]


def _rows(capture: Capture, known: Registration) -> list[int]:
    wanted = set(capture.frames())
    rows = [row for row, frame in enumerate(known.frames) if frame in wanted]
    if not rows:
        raise UserError(f"{capture.name}: its registration has none of the moments. Import it with --body fit.")
    return sorted(rows, key=lambda row: known.frames[row])


def _believed(
    model: str, shape: Tensor, frames: tuple[int, ...], pose: BodyPose, expression: Tensor, report: dict
) -> CaptureBody:
    count, driven = len(frames), len(get_body_model(model).driven_joints)
    return CaptureBody(
        shape=shape,
        frames=frames,
        pose=pose,
        expression=expression,
        joint_confidence=torch.ones(count, driven),
        face_confidence=torch.ones(count),
        hand_confidence=torch.ones(count, 2),
        fitted=True,
        model=model,
        report=report,
    )
