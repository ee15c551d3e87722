"""The objective of a stage and its gradient, over all frames at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lca_dataparsers.processing.fitting.compiled import picture_terms, pose_terms, skeleton
from lca_dataparsers.processing.fitting.compiled.unknowns import Unknowns
from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.start import from_camera
from lca_dataparsers.processing.fitting.state import NEAREST
from lca_dataparsers.processing.fitting.targets import Targets
from lca_dataparsers.processing.fitting.terms.body import PICTURE_SIGMA, SCALE_RANGE, WORLD_CUTOFF, WORLD_SIGMA
from lca_dataparsers.processing.fitting.terms.contact import (
    FOOT_LANDMARKS,
    GROUND_CUTOFF,
    GROUND_SIGMA,
    LEVEL_SPREAD,
    SLIDE_CUTOFF,
    SLIDE_SIGMA,
)
from lca_dataparsers.processing.fitting.terms.face import CUTOFF as FACE_CUTOFF
from lca_dataparsers.processing.fitting.terms.face import SIGMA as FACE_SIGMA
from lca_dataparsers.processing.fitting.terms.hands import CUTOFF as HAND_CUTOFF
from lca_dataparsers.processing.fitting.terms.head_outline import CUTOFF as OUTLINE_CUTOFF
from lca_dataparsers.processing.fitting.terms.head_outline import SIDEWAYS
from lca_dataparsers.processing.fitting.terms.joint_limits import STIFFNESS as LIMIT_STIFFNESS
from lca_dataparsers.processing.fitting.terms.person_prior import STIFFER
from lca_dataparsers.processing.fitting.terms.silhouette import COVERAGE_CUTOFF, OUTSIDE_CUTOFF
from lca_dataparsers.processing.fitting.terms.smoothness import (
    JOINT_SIGMA,
    LONGEST_STEP,
    REFERENCE_STEP,
    ROOT_CUTOFF,
    ROOT_SIGMA,
    ROTATION_SIGMA,
)
from lca_shared.tensors import Tensor

SILHOUETTE_TERMS = ("outside", "coverage", "head_outline")


@dataclass(frozen=True)
class Person:
    """What does not change while searching, as arrays."""

    body: PointBody
    limits: LimitTable
    config: FitConfig
    focal: float
    """Prior of the focal length, pixels."""
    focal_sigma: float


class Objective:
    """A weighed sum of terms and its gradient.

    Args:
        person: the body and its limits.
        targets: T frames.
        weights: of the terms that take part, by their names in ``TERMS``.
        cutoff: of the robust norm of body points, in standard deviations.
    """

    def __init__(self, person: Person, targets: Targets, weights: Mapping[str, float], cutoff: float) -> None:
        self._weights, self._cutoff, self._config = dict(weights), cutoff, person.config
        self._focal, self._focal_sigma = person.focal, person.focal_sigma
        self.silhouette = any(name in weights for name in SILHOUETTE_TERMS)
        points = person.body if self.silhouette else person.body.without_surface()
        self._take_body(points, person.limits)
        self._take_targets(points, targets)
        frames, joints, count = len(targets), len(self._parents), len(self._points)
        self._local = np.tile(np.eye(3, dtype=np.float32), (frames, joints, 1, 1))
        self._root = np.empty((frames, 3, 3), np.float32)
        self._turn = np.empty((frames, 3, 3), np.float32)
        self._turned, self._placed = np.empty_like(self._local), np.empty((frames, joints, 3), np.float32)
        self._posed, self.pixels = np.empty((frames, count, 3), np.float32), np.empty((frames, count, 2), np.float32)
        self._partner = np.zeros(self._contour.shape[:2], np.int64)
        self._beside = np.zeros(self._outline.shape[:2], np.int64)

    def gradient(self, at: Unknowns) -> tuple[dict[str, float], Unknowns]:
        """Values of the terms by name, unweighed, and the gradient of their weighed sum by each unknown."""
        rest_points, rest = self._of_shape(at.shape)
        focal = self._focal * float(np.exp(at.log_focal))
        self._pose(at, rest_points, rest, focal)
        slope = Unknowns.zeros_like(at)
        d_points, d_pixels = np.zeros_like(self._posed), np.zeros_like(self.pixels)
        d_turned, d_placed = np.zeros_like(self._turned), np.zeros_like(self._placed)
        values = self._picture(d_points, d_pixels) | self._motion(at, slope, d_placed)
        d_rest_points, d_rest = np.zeros_like(self._points), np.zeros_like(self._joints)
        chain = (self._first, self._which, self._weight, rest_points, rest, self._turned)
        slope.log_focal[...] += skeleton.points_back(
            *chain,
            *(self._displaced, self._face, focal, NEAREST, self._posed, d_points, d_pixels, d_turned, d_placed),
            *(d_rest_points, d_rest, at.shape_is_free),
        )
        skeleton.joints_back(
            *(self._parents, self._driven, rest, at.rotations, self._local, self._turned, d_turned, d_placed),
            *(slope.rotations, d_rest),
        )
        slope.translation[...] += d_placed[:, 0]
        self._root_back(at, d_turned[:, 0], slope)
        slope.shape[...] += np.tensordot(self._shape_points, d_rest_points, axes=([1, 2], [0, 1]))
        slope.shape[...] += np.tensordot(self._shape_joints, d_rest, axes=([1, 2], [0, 1]))
        return values | self._likely(at, slope), slope

    def find_partners(self) -> None:
        """Find the surface points nearest to the mask's outline and beside the face's, as last posed."""
        head = self.pixels.shape[1] - self._head_surface
        picture_terms.nearest_points(self.pixels, self._surface, self._contour, self._partner)
        picture_terms.points_beside(self.pixels, head, self._outline, self._normal, SIDEWAYS, self._beside)

    def pose(self, at: Unknowns) -> None:
        """Set :attr:`pixels` [T, P, 2]."""
        self._pose(at, *self._of_shape(at.shape), self._focal * float(np.exp(at.log_focal)))

    def _take_body(self, points: PointBody, limits: LimitTable) -> None:
        self._parents, self._driven = points.rig.parents.numpy(), points.driven.numpy()
        self._joints, self._points = points.joints.numpy(), points.points.numpy()
        self._shape_joints, self._shape_points = points.shape_joints.numpy(), points.shape_points.numpy()
        weights = points.weights.numpy()
        row, which = np.nonzero(weights)
        self._first = np.searchsorted(row, np.arange(len(weights) + 1))
        self._which, self._weight = which, weights[row, which]
        self._face, self._surface = points.groups["face"].start, points.groups["surface"].start
        self._feet = np.array([[points.body_landmarks.index(k) for k in foot] for foot in FOOT_LANDMARKS])
        self._hands = [points.groups[name].start for name in ("left_hand", "right_hand")]
        self._head_surface = points.head_surface
        self._shape_weight = np.array([STIFFER.get(name, 1.0) for name in points.shape_names], np.float32)
        self._axes, self._stiffness = _array(limits.frames), _array(limits.stiffness)
        self._low, self._high = _array(limits.low), _array(limits.high)

    def _take_targets(self, points: PointBody, targets: Targets) -> None:
        self._times = targets.times.double().numpy()
        self._displaced = _array(points.face_displacements(targets.expression))
        self._picture_size = targets.picture.double().numpy()
        height = targets.person_height.numpy()
        self._per_height = 1.0 / (PICTURE_SIGMA * height)  # the same for hands and silhouette
        self._per_face = 1.0 / (FACE_SIGMA * targets.face_size.numpy())
        self._body, self._body_weight = _array(targets.body), _array(targets.body_weight)
        weight = targets.world_weight[..., None].double()
        world = from_camera(targets.body_world.double())
        world = world - (world * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        self._world, self._world_weight = _array(world.float()), _array(targets.world_weight)
        self._face_target, self._face_seen = _array(targets.face), _array(targets.face_seen)
        self._still = _array(targets.foot_still)
        self._hand_target = [_array(targets.hands[:, side]) for side in (0, 1)]
        self._hand_weight = [_array(targets.hand_weight[:, side]) for side in (0, 1)]
        self._distance = targets.outside_distance[:, 0].numpy()
        self._contour, self._contour_weight = _array(targets.contour), _array(targets.contour_weight)
        self._outline, self._normal = _array(targets.outline), _array(targets.outline_normal)
        self._held = _array(1.0 + (1.0 - targets.joint_seen) * (self._config.frozen_prior - 1.0))

    def _of_shape(self, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = self._points + np.tensordot(shape, self._shape_points, axes=1)
        return points, self._joints + np.tensordot(shape, self._shape_joints, axes=1)

    def _pose(self, at: Unknowns, rest_points: np.ndarray, rest: np.ndarray, focal: float) -> None:
        skeleton.turn_all(at.root_delta, self._turn)
        np.matmul(self._turn, at.root_start, out=self._root)
        skeleton.pose_joints(
            *(self._parents, self._driven, rest, at.rotations, self._root, at.translation),
            *(self._local, self._turned, self._placed),
        )
        skeleton.pose_points(
            *(self._first, self._which, self._weight, rest_points, rest, self._turned, self._placed),
            *(self._displaced, self._face, focal, 0.5 * self._picture_size, NEAREST, self._posed, self.pixels),
        )

    def _picture(self, d_points: np.ndarray, d_pixels: np.ndarray) -> dict[str, float]:
        weights, pixels, values = self._weights, self.pixels, {}
        if "body" in weights:
            values["body"] = picture_terms.body(
                *(pixels, self._body, self._body_weight, self._per_height, self._cutoff, weights["body"], d_pixels)
            )
        if "body_world" in weights:
            values["body_world"] = pose_terms.body_world(
                *(self._posed, self._world, self._world_weight, WORLD_SIGMA, WORLD_CUTOFF, *SCALE_RANGE),
                *(weights["body_world"], d_points),
            )
        if "contact" in weights:
            values["contact"] = 0.0
            if not self._config.independent_frames and len(self._times) > 1:
                values["contact"] = pose_terms.contact(
                    *(self._times, self._posed, self._feet, self._still, REFERENCE_STEP, LONGEST_STEP),
                    *(np.array(SLIDE_SIGMA), SLIDE_CUTOFF, GROUND_SIGMA, GROUND_CUTOFF, LEVEL_SPREAD),
                    *(weights["contact"], d_points),
                )
        if "face" in weights:
            values["face"] = picture_terms.points(
                *(pixels, self._face, self._face_target, self._face_seen, self._per_face, FACE_CUTOFF),
                *(weights["face"], d_pixels),
            )
        if "hands" in weights:
            values["hands"] = sum(
                picture_terms.points(
                    *(pixels, start, target, seen, self._per_height, HAND_CUTOFF, weights["hands"], d_pixels)
                )
                for start, target, seen in zip(self._hands, self._hand_target, self._hand_weight)
            )
        return values | self._silhouette(d_pixels)

    def _silhouette(self, d_pixels: np.ndarray) -> dict[str, float]:
        weights, pixels, values = self._weights, self.pixels, {}
        if "outside" in weights:
            values["outside"] = picture_terms.outside(
                *(pixels, self._surface, self._distance, self._picture_size, self._per_height),
                *(OUTSIDE_CUTOFF, weights["outside"], d_pixels),
            )
        if "coverage" in weights:
            values["coverage"] = picture_terms.coverage(
                *(pixels, self._surface, self._partner, self._contour, self._contour_weight, self._per_height),
                *(COVERAGE_CUTOFF, weights["coverage"], d_pixels),
            )
        if "head_outline" in weights:
            values["head_outline"] = picture_terms.head_outline(
                *(pixels, pixels.shape[1] - self._head_surface, self._beside, self._outline, self._normal),
                *(self._face_seen, self._per_face, OUTLINE_CUTOFF, weights["head_outline"], d_pixels),
            )
        return values

    def _motion(self, at: Unknowns, slope: Unknowns, d_placed: np.ndarray) -> dict[str, float]:
        weights = self._weights
        prior, limits = pose_terms.angles(
            *(at.rotations, self._axes, self._low, self._high, self._stiffness, self._held, LIMIT_STIFFNESS),
            *(weights.get("pose_prior", 0.0), weights.get("joint_limits", 0.0), slope.rotations),
        )
        values = {"pose_prior": prior, "joint_limits": limits}
        if "smoothness" in weights:
            values["smoothness"] = 0.0
            if not self._config.independent_frames and len(self._times) > 2:
                values["smoothness"] = pose_terms.smoothness(
                    *(self._times, at.rotations, at.translation, self._placed),
                    *(REFERENCE_STEP, LONGEST_STEP, JOINT_SIGMA),
                    *(np.array(ROOT_SIGMA), ROOT_CUTOFF, ROTATION_SIGMA),
                    *(weights["smoothness"], slope.rotations, slope.translation, d_placed),
                )
        return {name: value for name, value in values.items() if name in weights}

    def _root_back(self, at: Unknowns, d_root: np.ndarray, slope: Unknowns) -> None:
        d_turn = np.ascontiguousarray(d_root @ at.root_start.transpose(0, 2, 1))
        skeleton.turn_all_back(at.root_delta, d_turn, slope.root_delta)

    def _likely(self, at: Unknowns, slope: Unknowns) -> dict[str, float]:
        values = {}
        if "shape_prior" in self._weights:
            slope.shape[...] += self._weights["shape_prior"] * self._shape_weight * at.shape
            values["shape_prior"] = float(0.5 * (self._shape_weight * at.shape**2).sum())
        if "focal_prior" in self._weights:
            slope.log_focal[...] += self._weights["focal_prior"] * at.log_focal / self._focal_sigma**2
            values["focal_prior"] = float(0.5 * (at.log_focal[()] / self._focal_sigma) ** 2)
        return values


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.numpy())
