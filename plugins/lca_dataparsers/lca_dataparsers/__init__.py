"""From videos and photos of people to training data."""

__version__ = "0.1.0"
