"""Registers the ``lca-studio`` dataparser with nerfstudio. Imports light things only."""

from nerfstudio.plugins.registry_dataparser import DataParserSpecification

from lca_dataparsers.lca_studio import LCAStudioDataParserConfig

lca_studio = DataParserSpecification(
    config=LCAStudioDataParserConfig(),
    description="People in front of several calibrated cameras (made by `lca-data`).",
)
