"""The training objective: photometric terms on two renders, and regularizers by name."""

from lca_method.losses.total import LossConfig, total

__all__ = ["LossConfig", "total"]
