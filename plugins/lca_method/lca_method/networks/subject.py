"""What the encoder makes of a person: all that driving needs."""

from dataclasses import dataclass, fields

from lca_method.networks.node_skinning import NodeSkinning
from lca_method.networks.transfer import Transfer
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class SubjectCode:
    """A person as LCA knows them after the encoder and the canonical head have run once."""

    shape: Float[Tensor, "*b coefficients"]
    """Shape coefficients of the body model."""
    tokens: Float[Tensor, "*b tokens width"]
    """Geometric tokens after the encoder."""
    token_half: Float[Tensor, "*b tokens hidden"]
    """Token half of the pose-dependent head's first layer."""
    canonical: Gaussians
    """In the person's rest pose, metres."""
    offsets: Float[Tensor, "*b gaussians 3"]
    """Metres, from each Gaussian's point on the person's shaped rest body: what the position regularizer sees."""
    nodes: NodeSkinning | None = None
    """What carries loose garments; None = the template's skinning weights."""
    weights: Float[Tensor, "*b gaussians joints"] | None = None
    """Skinning weights of Gaussians that follow ``nodes``."""
    relight: Transfer | None = None
    """How the Gaussians turn light into radiance; None = the model is not relightable."""

    def canonical_of_frames(self, frames: int) -> Gaussians:
        """``canonical`` with a new axis of ``frames`` after the batch axes, without copying."""
        at = len(self.canonical.batch_shape)

        def repeated(value: Tensor) -> Tensor:
            return value.unsqueeze(at).expand(*value.shape[:at], frames, *value.shape[at:])

        return Gaussians(**{f.name: repeated(getattr(self.canonical, f.name)) for f in fields(self.canonical)})
