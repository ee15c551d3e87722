"""How much codes tell about who is seen."""

from lca_shared.tensors import Float, Tensor

_LEAST_VARIANCE = 1e-4
"""Added to the variance within people."""


def code_identity(codes: Float[Tensor, "*b targets code"], seen: Float[Tensor, "*b targets"]) -> Float[Tensor, ""]:
    """Variance of people's true means over the variance of their own frames, the mean over the code's numbers.

    The mean of a few frames differs from person to person by chance, too: that part, which the variance within people
    predicts, is taken off, so that (normally distributed) codes which say nothing about identity have 0 on average.
    Each number is compared with its own variance: one that hardly varies names its owner as well as a large one.

    Args:
        codes: the last batch axis but ``targets`` runs over people; one person alone has 0.
        seen: 1 = counts.
    """
    codes, seen = codes.reshape(-1, *codes.shape[-2:]), seen.reshape(-1, seen.shape[-1])[..., None]
    counts = seen.sum(dim=1)
    people = (counts > 0).to(codes)
    if float(people.sum()) < 2:
        return codes.sum() * 0
    means = (codes * seen).sum(dim=1) / counts.clamp(min=1)
    freedom = (counts - 1).clamp(min=0).sum()
    if float(freedom) < 3:
        return codes.sum() * 0
    within = ((codes - means[:, None]) * seen).square().sum(dim=(0, 1)) / freedom
    middle = (means * people).sum(dim=0) / people.sum()
    between = ((means - middle) * people).square().sum(dim=0) / (people.sum() - 1)
    chance = within * (people / counts.clamp(min=1)).sum() / people.sum() * freedom / (freedom - 2)  # divided by within
    return ((between - chance) / (within + _LEAST_VARIANCE)).mean()
