"""Learned expression codes on several processes: the same step, whoever computes which people."""

from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from coded_processes import step

from lca_method.step_random import normal, uniform


def test_numbers_of_one_process_are_plain_ones() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3, 2), torch.randn(4, 5)
    torch.manual_seed(1)
    torch.testing.assert_close((uniform(3, 2), normal(4, 5)), expected)


@pytest.mark.slow
def test_two_processes_take_the_step_of_one(people: Path, tmp_path: Path) -> None:
    mp.spawn(step, nprocs=2, args=(2, f"file://{tmp_path / 'rendezvous'}", people, tmp_path))
    mp.spawn(step, nprocs=1, args=(1, "", people, tmp_path))
    whole = torch.load(tmp_path / "1_0.pt")
    assert all(value.abs() > 1e-5 for value in whole["terms"].values())
    for rank in (0, 1):
        part = torch.load(tmp_path / f"2_{rank}.pt")
        for name, value in whole["terms"].items():
            torch.testing.assert_close(part["terms"][name], value, rtol=1e-4, atol=1e-6, msg=name)
        assert part["gradients"].keys() == whole["gradients"].keys()
        largest = max(float(value.abs().max()) for value in whole["gradients"].values())
        for name, value in whole["gradients"].items():
            assert float((part["gradients"][name] - value).norm()) < 0.01 * float(value.norm()) + 1e-5 * largest, name
