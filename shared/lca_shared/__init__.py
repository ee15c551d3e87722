"""The ground floor of the codec-avatar packages: maths, body, rendering, metrics, weights, storage.

Set ``LCA_TYPECHECK=1`` to check every annotated tensor's shape and dtype at run time (the tests always do).
"""

from lca_shared.tensors import install_typechecking_if_asked

__version__ = "0.1.0"

install_typechecking_if_asked()
