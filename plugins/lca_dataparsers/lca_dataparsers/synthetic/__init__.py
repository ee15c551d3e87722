"""Captures of textured parametric people, ray-cast, with exact truth."""
