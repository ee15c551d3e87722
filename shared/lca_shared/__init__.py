"""The ground floor of the codec-avatar packages: maths, body, rendering, metrics, weights, storage.

Set ``LCA_TYPECHECK=1`` to check every annotated tensor's shape and dtype at run time (the tests always do).
"""

import os

__version__ = "0.1.0"

if os.environ.get("LCA_TYPECHECK", "0") == "1":
    # Only then: torch takes seconds that `--help` should not.
    from lca_shared.tensors import check_annotations

    check_annotations()
