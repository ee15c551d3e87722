"""LCA's networks: plain modules, no nerfstudio. ``LCA`` itself is imported when asked for: avatars move without it."""

from typing import TYPE_CHECKING, Any

from lca_method.networks.config import LCAConfig, tiny_config
from lca_method.networks.reference_features import ReferenceFeatures
from lca_method.networks.subject import SubjectCode

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA

__all__ = ["LCA", "LCAConfig", "ReferenceFeatures", "SubjectCode", "tiny_config"]


def __getattr__(name: str) -> Any:
    if name != "LCA":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from lca_method.networks.lca import LCA

    return LCA
