"""Fixtures of these tests."""

from drawn_people import boxes

__all__ = ["boxes"]
