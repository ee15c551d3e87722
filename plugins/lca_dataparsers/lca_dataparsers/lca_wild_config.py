"""Registers the ``lca-wild`` dataparser with nerfstudio. Imports light things only."""

from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from lca_dataparsers.lca_wild import LCAWildDataParserConfig

lca_wild = DataParserSpecification(
    config=LCAWildDataParserConfig(), description="People filmed by one camera each (made by `lca-data`)."
)
