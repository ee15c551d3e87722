"""What the body fit may be told."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TermWeights:
    """A factor on each term of the fit's objective; 1 is what was tuned on real clips. Names as in ``TERMS``."""

    body: float = 1.0
    """Body points in the picture."""
    body_world: float = 1.0
    """The detector's guess of the body in 3D, free in scale."""
    face: float = 1.0
    """Face points in the picture."""
    hands: float = 1.0
    """Hand points in the picture, where the detector was sure."""
    outside: float = 1.0
    """Body outside the person's mask."""
    coverage: float = 1.0
    """Mask's outline not reached by the body; robust, because clothes stand off the body."""
    head_outline: float = 1.0
    """Mask's outline beside cheeks and jaw, where it is skin."""
    smoothness: float = 1.0
    """Acceleration of joints and speed of rotations."""
    contact: float = 1.0
    """Steps of feet that look still, and their height over one ground."""
    pose_prior: float = 1.0
    """Distance from the rest pose."""
    joint_limits: float = 1.0
    """Angles that people cannot reach."""
    shape_prior: float = 1.0
    """Unlikely bodies."""
    focal_prior: float = 1.0
    """Unlikely focal lengths."""


@dataclass(frozen=True)
class FitConfig:
    """Fit of the body model to one person in a clip, or in photos."""

    independent_frames: bool = False
    """Photos: frames have one person and one camera but no order in time, so nothing is smoothed."""
    field_of_view: float = 50.0
    """Prior of the camera's field of view along the picture's long side, degrees; used where metadata has no focal
    length."""
    focal_sigma: float = 0.12
    """Standard deviation of the logarithm of the focal length around that prior."""
    metadata_focal_sigma: float = 0.03
    """The same around a focal length from metadata."""
    closest_distance: float = 1.0
    """Metres: where the field of view above would put the person nearer to the camera than this, a longer focal length
    is taken."""
    close_focal_sigma: float = 0.25
    """Standard deviation of the logarithm of the focal length in that case."""
    shape_frames: int = 48
    """Frames that body shape and focal length are read from; the other frames take them as they are."""
    window: int = 300
    """Frames fitted together; bounds the memory, whatever the clip's length."""
    overlap: int = 30
    """Frames that neighbouring windows share; they are blended there."""
    coarse_rate: float = 10.0
    """Poses a second that are fitted from scratch; the frames between start from their interpolation."""
    effort: float = 1.0
    """Factor on the number of iterations."""
    frozen_prior: float = 20.0
    """How much stiffer the pose prior holds a limb that is not seen."""
    weights: TermWeights = field(default_factory=TermWeights)
