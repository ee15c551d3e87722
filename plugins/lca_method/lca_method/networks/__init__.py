"""LCA's networks: plain modules, no nerfstudio."""

from lca_method.networks.config import LCAConfig, tiny_config
from lca_method.networks.lca import LCA
from lca_method.networks.reference_features import ReferenceFeatures
from lca_method.networks.subject import SubjectCode

__all__ = ["LCA", "LCAConfig", "ReferenceFeatures", "SubjectCode", "tiny_config"]
