"""How the loose garment of a synthetic person hangs and swings through a motion."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from lca_dataparsers.synthetic.body_fields import BodyFields, body_fields
from lca_dataparsers.synthetic.cloth import Surroundings, swing
from lca_dataparsers.synthetic.garments import coverage, standoff
from lca_dataparsers.synthetic.layers import vertex_normals
from lca_dataparsers.synthetic.loose import SwingingPart
from lca_dataparsers.synthetic.person import Appearance
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.tensors import Float, Tensor

STEP = 1 / 60
"""Seconds between the poses that cloth is moved by, about."""
CLEARANCE = 0.009
"""How far cloth stays from skin and from what is worn under it, metres."""
SOLE = 0.02
"""Thickness of shoes below the foot, about, metres."""
SOFT = 0.1
"""Seconds: deviation over which the body's height is smoothed. People do not fall from foot to foot."""
_CHUNK = 64


@dataclass(frozen=True)
class _Points:
    """Points of the rest surface that cloth can meet."""

    rest: np.ndarray
    """[points, 3] metres."""
    normals: np.ndarray
    """[points, 3] unit."""
    weights: np.ndarray
    """[points, active]"""
    margin: np.ndarray
    """[points] metres."""


def steps_per_moment(fps: float) -> int:
    """Steps of the simulation between two moments of a dataset."""
    return max(1, round(1 / (fps * STEP)))


def drape(
    body: CompactBody, person: Appearance, part: SwingingPart, pose: BodyPose, step: float
) -> Float[np.ndarray, "steps vertices 3"]:
    """The swinging part's vertices at each step of a motion, metres, in the poses' world.

    Args:
        body: the body model.
        person: shape and clothes.
        part: what swings.
        pose: [steps]; begins with a moment of standing still.
        step: seconds between poses.
    """
    fields = body_fields()
    shaped = body.shaped(torch.from_numpy(person.shape))
    points = _points(person, fields, shaped.vertices.double().numpy())
    held = part.cloth.rest.shape[1]
    layer = part.layer
    transforms = body.active_transforms(shaped.joints, pose)
    posed, normals = _skinned(points.rest, points.weights, transforms, points.normals)
    pinned, _ = _skinned(layer.rest[:held], layer.weights[:held], transforms)
    start, _ = _skinned(layer.rest, layer.weights, transforms[:1])
    rings = part.cloth.rest.shape[0]
    begin = start[0].reshape(rings, part.columns, 3)[:, :held].reshape(-1, 3)
    return part.drawn(swing(part.cloth, begin, Surroundings(step, pinned, posed, normals, points.margin)))


def near_the_floor(body: CompactBody, person: Appearance, pose: BodyPose, step: float) -> Float[Tensor, "steps 3"]:
    """What to add to root translations so that shoes stand on the floor, about.

    Args:
        body, person: who walks.
        pose: [steps]
        step: seconds between poses.
    """
    feet = body.regions["feet"].numpy()
    shaped = body.shaped(torch.from_numpy(person.shape))
    transforms = body.active_transforms(shaped.joints, pose)
    posed, _ = _skinned(shaped.vertices.double().numpy()[feet], body_fields().weights[feet], transforms)
    lowest = gaussian_filter1d(posed[..., 2].min(axis=1), SOFT / step, mode="nearest")
    up = torch.from_numpy(SOLE - lowest).float()
    return torch.stack([torch.zeros_like(up), torch.zeros_like(up), up], dim=-1)


def _points(person: Appearance, fields: BodyFields, skin: np.ndarray) -> _Points:
    """Trunk below the waist, legs, feet, forearms and hands: fingers and toes at a third of their points."""
    upper = max(garment.upper for garment in person.outfit if garment.kind == "swinging")
    below = (fields.position[:, 2] < upper + 0.1) & (fields.arm_weight < 0.02)
    arm = (fields.arm_weight > 0.5) & (fields.along_arm > 0.5 * fields.arm_length)
    regions = fields.body.regions
    fine = (regions["hands"] | regions["feet"]).numpy() & (np.arange(len(skin)) % 3 > 0)
    chosen = np.flatnonzero((below | arm) & ~fine)
    margin: np.ndarray = np.full(len(skin), CLEARANCE)
    for garment in person.outfit:
        if garment.loose or garment.kind == "shoes":
            continue
        covered = coverage(garment, fields, fields.position, fields.arm_weight) > 0
        margin = np.maximum(margin, np.where(covered, CLEARANCE + standoff(garment, fields), 0.0))
    return _Points(skin[chosen], vertex_normals(skin, fields.faces)[chosen], fields.weights[chosen], margin[chosen])


def _skinned(
    rest: np.ndarray,
    weights: np.ndarray,
    transforms: Float[Tensor, "steps active 3 4"],
    normals: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Posed points and, if given, unit normals, [steps, points, 3] float32."""
    places, turned = [], []
    mix = torch.from_numpy(weights).float()
    points = torch.from_numpy(rest).float()
    across = None if normals is None else torch.from_numpy(normals).float()
    for first in range(0, len(transforms), _CHUNK):
        blended = (mix @ transforms[first : first + _CHUNK].flatten(-2)).unflatten(-1, (3, 4))
        places.append((blended[..., :3] * points[:, None, :]).sum(-1) + blended[..., 3])
        if across is not None:
            turned.append(torch.nn.functional.normalize((blended[..., :3] * across[:, None, :]).sum(-1), dim=-1))
    return torch.cat(places).numpy(), torch.cat(turned).numpy() if turned else np.zeros(0)
