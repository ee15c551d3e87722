"""Body models by name."""

from collections.abc import Callable
from functools import cache

from lca_shared.body.anny import load_anny
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.mhr import load_mhr_body
from lca_shared.body.smplx import load_smplx
from lca_shared.errors import UserError

BODY_MODELS: dict[str, Callable[[], CompactBody]] = {"anny": load_anny, "mhr": load_mhr_body, "smplx": load_smplx}
"""What each name loads."""


@cache
def get_body_model(name: str = "anny") -> CompactBody:
    """The body model called ``name`` (float32, CPU, loaded once).

    Raises:
        UserError: no such body model, or its file is damaged.
        MissingWeightsError: the user's licensed file of it is nowhere.
    """
    if name not in BODY_MODELS:
        raise UserError(f"There is no body model {name!r}. This release has: {', '.join(sorted(BODY_MODELS))}.")
    return BODY_MODELS[name]()
