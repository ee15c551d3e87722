"""Checks every annotated tensor in all tests, and says where the machine's extra material is."""

import os
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(["lca_shared", "lca_dataparsers", "lca_method", "genlca_method"], "beartype.beartype")

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))

REPOSITORY = Path(__file__).resolve().parents[1]
MATERIAL = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real videos and small models beside the checkout; skips where there is none."""
    if not (MATERIAL / "data").is_dir():
        pytest.skip("the folder ../shared with real videos and models is not beside this checkout")
    return MATERIAL


@pytest.fixture(scope="session")
def models(material: Path) -> Path:
    """The folder of small models with real weights."""
    return material / "models"
