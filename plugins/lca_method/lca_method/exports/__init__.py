"""Avatars in other programs' formats, one file a format; :data:`FORMATS` names them."""

from lca_method.exports.registry import FORMATS, Export

__all__ = ["FORMATS", "Export"]
