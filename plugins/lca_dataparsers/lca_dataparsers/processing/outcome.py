"""What became of each clip, in a form that passes between processes and onto disk."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

State = Literal["written", "left out", "failed"]


@dataclass(frozen=True)
class Outcome:
    """Of one clip."""

    subject: str
    input: str
    """The video or folder it is from."""
    state: State
    """``left out``: it could be read, but shows nobody who can be used; ``failed``: it could not be processed."""
    message: str = ""
    report: dict[str, Any] | None = None
    """Of a subject that was written (see ``make_report``)."""
    notices: tuple[str, ...] = ()
    samples: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """Some pictures that were left out, uint8 [h, w, 3], by reason."""

    def row(self) -> dict[str, Any]:
        """Plain JSON, without the samples."""
        kept = {name: getattr(self, name) for name in ("subject", "input", "state", "message", "report")}
        return kept | {"notices": list(self.notices)}
