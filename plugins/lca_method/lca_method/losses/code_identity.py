"""How much codes tell about who is seen."""

from lca_shared.tensors import Float, Tensor


def code_identity(codes: Float[Tensor, "*b targets code"], seen: Float[Tensor, "*b targets"]) -> Float[Tensor, ""]:
    """Share of the codes' variance that lies between people: the correlation ratio, between 0 and 1.

    It is the squared Hilbert-Schmidt norm of the covariance of code and identity (HSIC with linear kernels), divided
    by the codes' variance, so that smaller codes gain nothing. Independent codes of S people with T frames each have
    (S - 1) / (S T - 1) on average; one person alone has 0.

    Args:
        codes: the last batch axis but ``targets`` runs over people.
        seen: 1 = counts.
    """
    codes, seen = codes.reshape(-1, *codes.shape[-2:]), seen.reshape(-1, seen.shape[-1])[..., None]
    counts = seen.sum(dim=1, keepdim=True)
    mean = (codes * seen).sum(dim=(0, 1)) / counts.sum().clamp(min=1)
    centered = (codes - mean) * seen
    between = (centered.sum(dim=1, keepdim=True).square() / counts.clamp(min=1)).sum()
    return between / centered.square().sum().clamp(min=1e-6)
