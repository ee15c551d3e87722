"""What radiance transfer should be where pictures do not say otherwise (our choice)."""

from lca_method.networks.transfer import Transfer
from lca_shared.tensors import Float, Tensor


def transfer_prior(transfer: Transfer) -> Float[Tensor, ""]:
    """Small zonal lobes, and Gaussians that light reaches: mean squares."""
    return transfer.lobe_bands.square().mean() + (1 - transfer.openness).square().mean()
