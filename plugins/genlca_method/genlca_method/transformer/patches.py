"""Groups of neighbouring anchors that the transformer reads as one token."""

import torch

from lca_shared.errors import UserError
from lca_shared.tensors import Float, Int, Tensor


def neighbours(positions: Float[Tensor, "anchors 3"], patch: int) -> Int[Tensor, "patches patch"]:
    """Anchors in groups of ``patch`` that lie close together: the cloud is cut across its longest side, in as equal
    halves as whole groups allow, until one group is left. The order depends on the points alone.

    Raises:
        UserError: the anchors do not make whole groups.
    """
    anchors = len(positions)
    if patch < 1 or anchors % patch:
        raise UserError(f"{anchors} anchors cannot be read in groups of {patch}.")
    groups, todo = [], [torch.arange(anchors, device=positions.device)]
    while todo:
        rows = todo.pop()
        points = positions[rows]
        axis = int((points.amax(dim=0) - points.amin(dim=0)).argmax())
        rows = rows[points[:, axis].argsort(stable=True)]
        if len(rows) == patch:
            groups.append(rows)
            continue
        half = patch * (len(rows) // patch // 2)
        todo += [rows[half:], rows[:half]]
    return torch.stack(groups)
