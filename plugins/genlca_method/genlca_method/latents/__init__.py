"""Tokens as 8 numbers per anchor, and back."""
