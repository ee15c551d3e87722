"""One synthetic subject: appearance, motion, cameras and light drawn from the seed, rendered frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from lca_dataparsers.dataset.schema import FrameRecord, SubjectInfo
from lca_dataparsers.synthetic.attributes import attributes
from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.draping import drape, near_the_floor, steps_per_moment
from lca_dataparsers.synthetic.environment import evenly_lit, random_environment
from lca_dataparsers.synthetic.expressions import random_expressions, random_gaze
from lca_dataparsers.synthetic.light_stage import pattern_of, stage_light, stage_rig
from lca_dataparsers.synthetic.motion import random_motion
from lca_dataparsers.synthetic.noise import stream
from lca_dataparsers.synthetic.person import Appearance, PersonMesh, person_mesh, random_appearance
from lca_dataparsers.synthetic.raycast import Picture, render
from lca_dataparsers.synthetic.scene import Scene
from lca_dataparsers.synthetic.viewpoints import close_cameras, ring_cameras, wild_cameras
from lca_dataparsers.synthetic.walking import at_moments, lead_in, walking_motion
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.gaze import with_eyelids
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, project
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class CaptureSpec:
    """What of a dataset's settings shapes a subject's pictures."""

    kind: Literal["wild", "studio"]
    frames: int
    """Moments per subject."""
    cameras: int
    """Cameras of a studio; 1 for wild."""
    size: int
    """Side of the square pictures, pixels."""
    fps: float
    partial: float
    """Share of key moments framed closer than the whole body (wild)."""
    seed: int
    framing: Literal["body", "head", "hands"] = "body"
    """What the camera of a wild clip follows."""
    lights: bool = False
    """A studio with a light stage."""
    garment: str | None = None
    """A loose garment (``loose.LOOSE``) that everybody wears, walking; None = outfits that follow the skeleton."""
    even_light: bool = False
    """Light from everywhere alike."""


def subject_frames(
    spec: CaptureSpec, index: int, person: Appearance
) -> Iterator[tuple[FrameRecord, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Records with image, mask and, where there is one, mask of the loose garment, rendered as they are asked for."""
    random = stream("capture", spec.seed, spec.kind, index)
    body = body_fields().body
    times = np.arange(spec.frames) / spec.fps
    mesh = person_mesh(person)
    pose, cloth = moving(random, spec, body, person, mesh, times)
    expressions = torch.from_numpy(random_expressions(random, times, body.expression_names))
    pose = replace(pose, gaze=torch.from_numpy(random_gaze(random, times)))
    expressions = with_eyelids(expressions, pose.gaze, body.expression_names)
    environment = random_environment(random, spec.kind)
    if spec.even_light:
        environment = evenly_lit(environment)
    grounded = on_the_floor(body, mesh, person, expressions, pose)
    if cloth is not None:
        cloth = cloth + (grounded.root_translation - pose.root_translation)[:, None]
    pose = grounded
    cameras = _cameras(random, spec, body, person, pose, times)
    rig = stage_rig(spec.seed) if spec.lights else None
    for moment in range(spec.frames):
        pattern = pattern_of(moment) if rig is not None else -1
        stage = stage_light(rig, pattern) if rig is not None else None
        vertices = person_vertices(body, mesh, person, expressions[moment], pose[moment])
        if cloth is not None:
            vertices[mesh.swinging_start : mesh.swinging_start + cloth.shape[1]] = cloth[moment]
        scene = Scene(mesh, vertices.numpy())
        for view in range(spec.cameras if spec.kind == "studio" else 1):
            camera = cameras[moment if spec.kind == "wild" else view]
            light = stream("light", spec.seed, spec.kind, index, moment, view)
            picture = render(person, scene, camera, environment, light, stage)
            record = _record(body, mesh, vertices, camera, picture, pose[moment], expressions[moment])
            record = replace(record, frame=moment, camera=str(view), time=float(times[moment]), light_pattern=pattern)
            yield record, picture.image, picture.mask, picture.garment if spec.garment else None


def moving(
    random: np.random.Generator,
    spec: CaptureSpec,
    body: CompactBody,
    person: Appearance,
    mesh: PersonMesh,
    times: np.ndarray,
) -> tuple[BodyPose, Float[Tensor, "frames vertices 3"] | None]:
    """Poses, and vertices of what swings in the same world.

    Args:
        random: of the capture.
        spec, person, mesh: what is filmed.
        body: the body model.
        times: of the moments, seconds.
    """
    if mesh.swinging is None:
        return random_motion(random, body, times).pose, None
    every = steps_per_moment(spec.fps)
    step = 1 / (spec.fps * every)
    first = lead_in(step)
    steps = np.arange(-first, (len(times) - 1) * every + 1) * step
    pose = walking_motion(random, body, steps)
    pose = replace(pose, root_translation=pose.root_translation + near_the_floor(body, person, pose, step))
    swung = drape(body, person, mesh.swinging, pose, step)
    kept = torch.from_numpy(swung[first::every].astype(np.float32))
    return at_moments(pose, first, every, len(times)), kept


def _cameras(
    random: np.random.Generator,
    spec: CaptureSpec,
    body: CompactBody,
    person: Appearance,
    pose: BodyPose,
    times: np.ndarray,
) -> Cameras:
    """The ring of a studio, or one camera per moment."""
    if spec.kind == "studio":
        return ring_cameras(stream("ring", spec.seed), spec.cameras, spec.size)
    if spec.framing != "body":
        middles, facing = _part(random, body, person, pose, spec.framing)
        return close_cameras(random, times, middles, facing, _EXTENTS[spec.framing], spec.size)
    low, high = _extent(body, person, pose)
    centers = torch.stack([(low[:, 0] + high[:, 0]) / 2, (low[:, 1] + high[:, 1]) / 2, torch.zeros(len(low))], dim=-1)
    return wild_cameras(random, times, centers, high[:, 2], spec.size, spec.partial)


def subject_info(spec: CaptureSpec, index: int, split: str, fingerprint: str) -> tuple[SubjectInfo, Appearance]:
    """A subject's ``subject.json`` and appearance; ``fingerprint`` tells which settings made it."""
    person = random_appearance(spec.seed, index, spec.garment)
    report = {
        "settings": fingerprint,
        "refused": {},
        "hair": person.hair_style,
        "outfit": [f"{garment.name} ({garment.paint['pattern']})" for garment in person.outfit],
        "attributes": attributes(person),
    }
    shape = tuple(float(value) for value in person.shape)
    return SubjectInfo(f"person_{index:04d}", shape, split, "lca-data synth", "CC0-1.0", report), person


def person_vertices(
    body: CompactBody,
    mesh: PersonMesh,
    person: Appearance,
    expression: Float[Tensor, "*batch expressions"],
    pose: BodyPose,
) -> Float[Tensor, "*batch vertices 3"]:
    """Posed vertices of all layers; clothes and hair follow the skeleton but not the expression."""
    shaped = body.shaped(torch.from_numpy(person.shape), expression)
    layers = torch.from_numpy(mesh.rest[mesh.body_vertices :])
    rest = torch.cat([shaped.vertices, layers.expand(*shaped.vertices.shape[:-2], -1, -1)], dim=-2)
    transforms = body.active_transforms(shaped.joints, pose)
    blended = (mesh.weights @ transforms.flatten(-2)).unflatten(-1, (3, 4))
    return (blended[..., :3] * rest[..., None, :]).sum(-1) + blended[..., 3]


def on_the_floor(
    body: CompactBody, mesh: PersonMesh, person: Appearance, expressions: Float[Tensor, "frames n"], pose: BodyPose
) -> BodyPose:
    """The same poses with the lowest point of every frame at z = 0."""
    hanging = range(mesh.swinging_start, mesh.swinging_start + len(mesh.swinging.layer.rest)) if mesh.swinging else ()
    used = torch.from_numpy(np.setdiff1d(mesh.used, hanging))
    lowest = [
        person_vertices(body, mesh, person, expressions[row], pose[row])[used, 2].min()
        for row in range(len(expressions))
    ]
    down = torch.stack([torch.zeros(len(lowest)), torch.zeros(len(lowest)), torch.stack(lowest)], dim=-1)
    return replace(pose, root_translation=pose.root_translation - down)


def _extent(body: CompactBody, person: Appearance, pose: BodyPose) -> tuple[Tensor, Tensor]:
    """Lowest and highest corners [frames, 3] of the posed skeleton, with the head's top and the floor."""
    shaped = body.shaped(torch.from_numpy(person.shape))
    joints = body.posed(shaped.joints, pose).joints
    low, high = joints.min(dim=-2).values, joints.max(dim=-2).values
    return low, high + torch.tensor([0.0, 0.0, 0.02])


_EXTENTS = {"head": 0.34, "hands": 0.36}
"""Height of a close picture, metres."""


def _part(
    random: np.random.Generator, body: CompactBody, person: Appearance, pose: BodyPose, framing: str
) -> tuple[Tensor, Tensor]:
    """Middle [frames, 3] of the head or of one hand, and where [frames, 3] it faces (a hand: as the person does)."""
    region = "face" if framing == "head" else str(random.choice(["left_hand", "right_hand"]))
    posed = body.skinned(body.shaped(torch.from_numpy(person.shape)), pose)
    forward = posed.new_tensor([0.0, -1.0, 0.0])
    if framing == "head":
        transforms = body.posed(body.shaped(torch.from_numpy(person.shape)).joints, pose).posed_from_rest
        turned = transforms[:, body.joint_names.index("head"), :3, :3] @ forward
    else:
        turned = rotation_vector_to_matrix(pose.root_rotation) @ forward
    return posed[:, body.regions[region]].mean(dim=1), turned


def _record(
    body: CompactBody,
    mesh: PersonMesh,
    vertices: Float[Tensor, "vertices 3"],
    camera: Cameras,
    picture: Picture,
    pose: BodyPose,
    expression: Float[Tensor, "expressions"],
) -> FrameRecord:
    face_box = head_box(body, vertices[: mesh.body_vertices], camera)
    inside = np.clip(face_box, 0, camera.width)
    area = max((face_box[2] - face_box[0]) * (face_box[3] - face_box[1]), 1e-6)
    seen = picture.face_pixels > 0.12 * area and (inside[2] - inside[0]) * (inside[3] - inside[1]) > 0.6 * area
    driven = len(body.driven_joints)
    return FrameRecord(
        frame=0,
        camera="0",
        time=0.0,
        image="",
        mask="",
        width=camera.width,
        height=camera.height,
        intrinsics=camera.intrinsics.numpy(),
        camera_from_world=camera.camera_from_world.numpy(),
        distortion=np.zeros(4),
        joint_rotations=pose.joint_rotations.numpy(),
        root_rotation=pose.root_rotation.numpy(),
        root_translation=pose.root_translation.numpy(),
        gaze=pose.gaze.numpy(),
        expression=expression.numpy(),
        person_box=mask_box(picture.mask),
        face_box=face_box if seen else np.full(4, np.nan),
        joint_confidence=np.ones(driven),
        confidence_body=1.0,
        confidence_face=float(seen),
        confidence_gaze=float(seen),
        confidence_left_hand=1.0,
        confidence_right_hand=1.0,
        fit_quality=1.0,
        light_pattern=-1,
    )


def head_box(body: CompactBody, vertices: Float[Tensor, "vertices 3"], camera: Cameras) -> np.ndarray:
    """A square around the projected head with 10 % to spare, [4] pixels."""
    pixels = project(camera, vertices[body.regions["head"]])[0].double().numpy()
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    middle, half = (low + high) / 2, (high - low).max() * 0.6
    return np.concatenate([middle - half, middle + half])


def mask_box(mask: np.ndarray) -> np.ndarray:
    """The smallest box around a mask, [4] pixels: left, top, right, bottom (the whole picture for an empty mask)."""
    rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
    if not len(rows):
        return np.array([0.0, 0.0, mask.shape[1], mask.shape[0]])
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
