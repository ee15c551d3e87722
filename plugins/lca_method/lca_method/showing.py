"""What a viewer or a camera-path renderer shows: whose avatar, made from which frames, and how it is driven."""

from dataclasses import dataclass

from lca_method.batch import DrivingSignal, FaceViews, ReferenceViews
from lca_method.viewing.modes import Mode
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class ShownAvatar:
    """One avatar and one driving signal; the leading axis is one subject."""

    key: tuple
    """Equal for equal references: an avatar is made once for a key."""
    references: ReferenceViews
    """``[1 views ...]``"""
    shape: Float[Tensor, "1 coefficients"]
    driving: DrivingSignal
    """``[1 1 ...]``: one frame."""
    faces: FaceViews | None = None
    """``[1 1 ...]``: the driver's face, for models with a learned expression code; None drives by coefficients."""
    mode: Mode = "rgb"
    """What the output called ``rgb`` shows."""
    corrected: bool = True
    """With what the network adds for the pose."""
