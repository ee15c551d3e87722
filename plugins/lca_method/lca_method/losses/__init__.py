"""Photometric losses and regularizers, by name."""
