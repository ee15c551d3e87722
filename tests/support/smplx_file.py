"""A made file in the layout of SMPL-X's licensed one."""

from pathlib import Path

import numpy as np

from lca_shared.body.smplx import JOINTS

PARENTS = np.arange(-1, len(JOINTS) - 1) // 2


def write_smplx(path: Path, components: int = 400) -> dict[str, np.ndarray]:
    """A file with SMPL-X's arrays for a cloud of 220 points."""
    random = np.random.default_rng(0)
    count = 220
    weights = random.random((count, len(JOINTS))) / 100 + np.eye(len(JOINTS))[np.arange(count) % len(JOINTS)]
    arrays = {
        "v_template": random.normal(size=(count, 3)) * 0.4,
        "shapedirs": random.normal(size=(count, 3, components)) * 0.01,
        "posedirs": np.zeros((count, 3, 486)),
        "J_regressor": (regressor := random.random((len(JOINTS), count))) / regressor.sum(axis=1, keepdims=True),
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": np.stack([np.where(PARENTS < 0, 2**32 - 1, PARENTS), np.arange(len(JOINTS))]).astype(
            np.uint32
        ),
        "f": random.integers(0, count, (300, 3)).astype(np.uint32),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays, part2num=np.array({"Global": 0}, object))  # the real file holds a pickle as well
    return arrays
