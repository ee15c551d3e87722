"""The ground floor of the codec-avatar packages: maths, body, rendering, metrics, weights, storage.

Set ``LCA_TYPECHECK=1`` to check every annotated tensor's shape and dtype at run time (the tests always do).
"""

import os

__version__ = "0.1.0"

if os.environ.get("LCA_TYPECHECK", "0") == "1":  # the module imports torch: commands' --help must not wait for it
    from lca_shared.tensors import install_typechecking_if_asked

    install_typechecking_if_asked()
