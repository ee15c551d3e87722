"""Tensor annotations of the house, and the switch that checks them at run time."""

import os

from jaxtyping import Bool, Float, Int, Shaped, UInt8, install_import_hook
from torch import Tensor

__all__ = ["PACKAGES", "Bool", "Float", "Int", "Shaped", "Tensor", "UInt8", "install_typechecking_if_asked"]

PACKAGES = ("lca_shared", "lca_dataparsers", "lca_method", "genlca_method")
"""The packages whose annotations are checked."""


def install_typechecking_if_asked() -> None:
    """Check annotations of the house's packages imported from here on, if ``LCA_TYPECHECK=1``."""
    if os.environ.get("LCA_TYPECHECK", "0") == "1":
        install_import_hook(list(PACKAGES), "beartype.beartype")
