"""GenLCA (arXiv 2604.07273): generating and editing the avatars that LCA makes."""

__version__ = "0.1.0"
