"""Small networks and random batches for the method's tests."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from small_people import write_people

from lca_method.batch import DrivingSignal, ReferenceViews
from lca_method.networks import LCA, LCAConfig, tiny_config
from lca_shared.body import BodyPose, CompactBody, get_body_model


@pytest.fixture(scope="session")
def body() -> CompactBody:
    return get_body_model()


@pytest.fixture(scope="session")
def config() -> LCAConfig:
    """Smaller than tiny: a second or two for every test together."""
    tiny = tiny_config()
    return replace(
        tiny,
        encoder=replace(tiny.encoder, width=16, patch_size=8),
        transformer=replace(tiny.transformer, layers=2, width=32, heads=2),
        placement=replace(tiny.placement, tokens=48, gaussians_per_token=4),
        heads=replace(tiny.heads, hidden=16),
        projected_colors=False,
        projected_outline=False,
    )


@pytest.fixture
def model(config: LCAConfig, body: CompactBody) -> LCA:
    torch.manual_seed(0)
    return LCA(config, body)


def _references(batch: tuple[int, ...], views: int, seed: int = 0) -> ReferenceViews:
    generator = torch.Generator().manual_seed(seed)

    def picture(channels: int, side: int) -> torch.Tensor:
        return torch.rand(*batch, views, channels, side, side, generator=generator)

    masks = torch.zeros(*batch, views, 1, 32, 32)
    masks[..., 4:30, 9:23] = 1.0
    return ReferenceViews(picture(3, 32), masks, picture(3, 16), torch.ones(*batch, views, 1, 16, 16))


def _driving(body: CompactBody, batch: tuple[int, ...], seed: int = 0) -> DrivingSignal:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(*batch, *shape, generator=generator)

    pose = BodyPose(normal(len(body.driven_joints), 3), normal(3), normal(3), normal(2, 2))
    return DrivingSignal(pose, torch.rand(*batch, len(body.expression_names), generator=generator))


@pytest.fixture(scope="session")
def random_references() -> Callable[..., ReferenceViews]:
    """``random_references(batch, views, seed=0)``: 32 px bodies and 16 px faces."""
    return _references


@pytest.fixture(scope="session")
def random_driving(body: CompactBody) -> Callable[..., DrivingSignal]:
    """``random_driving(batch, seed=0)``."""
    return partial(_driving, body)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people to train on, one held out for validation, one for testing; six frames each."""
    splits = {"anna": "train", "bela": "train", "cleo": "train", "dora": "val", "emil": "test"}
    return write_people(tmp_path_factory.mktemp("people") / "people", splits)


@pytest.fixture(scope="session")
def one_person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person alone, twelve frames."""
    return write_people(tmp_path_factory.mktemp("one") / "one", {"anna": "train"}, frames=12)
