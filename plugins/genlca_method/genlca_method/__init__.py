"""GenLCA (arXiv 2604.07273): an installable shell so far."""

__version__ = "0.1.0"
