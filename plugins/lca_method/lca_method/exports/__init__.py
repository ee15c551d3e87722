"""Avatars in other programs' formats, one file a format; ``registry.FORMATS`` names them."""
