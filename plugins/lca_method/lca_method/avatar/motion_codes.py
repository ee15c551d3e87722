"""Driving by learned expression codes: read from the faces of the video that moves an avatar."""

from dataclasses import replace
from pathlib import Path

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.motion import Motion
from lca_method.batch import moved_to
from lca_method.networks.driving import LearnedExpression
from lca_shared.errors import UserError

TOGETHER = 16
"""Frames read at once."""


def with_codes(motion: Motion, avatar: Avatar, path: Path, subject: str | None = None) -> Motion:
    """The motion with the code of each frame's face, as the avatar's own encoder reads it.

    Frames without a face have the code of the nearest frame that has one. The motion is returned as it is, to be driven
    by its coefficients, if the avatar has no learned code.

    Args:
        motion: what ``read_motion`` made of ``path``.
        avatar: who shall move.
        path: a dataset folder, or one person's folder in it; other motions have no pictures and stay as they are.
        subject: which person of the dataset.

    Raises:
        UserError: no frame shows a face, or a picture is missing or broken.
    """
    expression = avatar.driving_vector.expression
    if not isinstance(expression, LearnedExpression) or not path.is_dir():
        return motion
    from lca_method.avatar.recorded import recorded
    from lca_method.crops import CropReader, CropSizes  # most avatars need no pictures to move

    source = recorded(path, subject)
    rows = source.rows
    if len(rows) != len(motion):
        raise ValueError(f"{len(motion)} frames of a motion from {len(rows)} rows")
    side = 2 * avatar.networks.driving.encoder.picture
    reader = CropReader(source.dataset, CropSizes(side, side, side, target_faces=True), 1)
    codes, seen = [], []
    with torch.inference_mode():
        for start in range(0, len(rows), TOGETHER):
            faces = moved_to(reader.faces(source.name, rows[start : start + TOGETHER]), avatar.device)
            codes.append(expression.encoder.of(faces).float().cpu())
            seen.append(faces.seen.cpu() > 0)
    known = torch.cat(seen).nonzero()[:, 0]
    if len(known) == 0:
        raise UserError(f"No frame of {path} shows a face to read an expression from: give --expression coefficients.")
    nearest = known[torch.cdist(torch.arange(len(rows))[:, None].float(), known[:, None].float()).argmin(dim=1)]
    return replace(motion, signal=replace(motion.signal, code=torch.cat(codes).clone()[nearest]))
