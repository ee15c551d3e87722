"""What an image encoder makes of reference views."""

from dataclasses import dataclass

from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class ReferenceFeatures:
    """An image encoder's features of reference views; of a frozen encoder they may be kept and given again."""

    body: Float[Tensor, "*b views patches features"]
    face: Float[Tensor, "*b views face_patches features"]
