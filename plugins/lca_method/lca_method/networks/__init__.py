"""LCA's networks: plain modules, no nerfstudio."""

from lca_method.networks.config import LCAConfig, tiny_config
from lca_method.networks.lca import LCA, ReferenceFeatures
from lca_method.networks.subject import SubjectCode

__all__ = ["LCA", "LCAConfig", "ReferenceFeatures", "SubjectCode", "tiny_config"]
