"""A small LCA, untrained, and tokens made with it."""

from pathlib import Path

import pytest
import torch
from small_checkpoint import write_run
from small_generator import small_pipeline
from small_people import write_people
from small_runs import small_network

from genlca_method.cli import main
from genlca_method.sampling.pipeline import GenLCAPipeline
from lca_method.networks import LCA
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.body import get_body_model


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people to train on, one for testing; six frames each."""
    splits = {"anna": "train", "bela": "train", "cleo": "train", "emil": "test"}
    return write_people(tmp_path_factory.mktemp("people") / "people", splits)


@pytest.fixture(scope="session")
def lca_run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of LCA with 48 tokens, written without training."""
    torch.manual_seed(0)
    return write_run(tmp_path_factory.mktemp("lca") / "run", LCA(small_network(), get_body_model()), people, False)


@pytest.fixture(scope="session")
def lca(lca_run: Path) -> TrainedNetwork:
    """The trained model."""
    return load_network(lca_run)


@pytest.fixture(scope="session")
def tokens(people: Path, lca_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Token shards: two samples of each of the four people."""
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    options = ["--samples", "2", "--references", "3", "--shard-samples", "3", "--part-size", "16"]
    where = ["--checkpoint", str(lca_run), "--data", str(people), "--output-dir", str(folder)]
    assert main(["tokenize", *where, *options]) == 0
    return folder


@pytest.fixture(scope="session")
def pipeline() -> GenLCAPipeline:
    """A small untrained generator."""
    return small_pipeline()


@pytest.fixture(scope="session")
def latents(tokens: Path, lca_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latents") / "latents"
    where = ["--tokens", str(tokens), "--checkpoint", str(lca_run), "--output-dir", str(folder)]
    options = ["--steps", "2", "--batch", "2", "--width", "16", "--heads", "2", "--layers", "1", "--pictures", "0"]
    assert main(["latents", *where, *options]) == 0
    return folder
