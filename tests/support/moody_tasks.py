"""A task that may go wrong in several ways; worker processes import it by its name."""

import os
import time


def moody(what: str, path: str) -> str:
    """What a worker may do."""
    if what == "die":
        os._exit(3)
    if what == "sleep":
        time.sleep(60)
    if what == "raise":
        raise ValueError("no such luck")
    return path + what
