"""Tensor annotations of the house, and the switch that checks them at run time."""

from jaxtyping import Bool, Float, Int, Shaped, UInt8, install_import_hook
from torch import Tensor

__all__ = ["PACKAGES", "Bool", "Float", "Int", "Shaped", "Tensor", "UInt8", "check_annotations"]

PACKAGES = ("lca_shared", "lca_dataparsers", "lca_method", "genlca_method")
"""The packages whose annotations are checked."""


def check_annotations() -> None:
    """Check annotations of the house's packages imported from here on."""
    install_import_hook(list(PACKAGES), "beartype.beartype")
