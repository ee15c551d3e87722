"""Training on two processes without CUDA."""

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from two_processes import train

pytestmark = pytest.mark.slow


def test_two_processes_see_other_pictures_and_keep_equal_weights(people: Path, tmp_path: Path) -> None:
    mp.spawn(train, nprocs=2, args=(2, f"file://{tmp_path / 'rendezvous'}", people, tmp_path))
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert torch.equal(first["weights"], second["weights"])
    assert not torch.equal(first["seen"], second["seen"])
