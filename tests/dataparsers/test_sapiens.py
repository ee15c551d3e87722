"""Sapiens and Sapiens2 on look-alikes of their published files: small networks whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lca_dataparsers.processing.estimator_config import EstimatorConfig
from lca_dataparsers.processing.estimators import build_estimator, registry
from lca_dataparsers.processing.estimators.nothing import Nothing
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_dataparsers.processing.estimators.sapiens_masks import SapiensMasks, SapiensMatting
from lca_dataparsers.processing.estimators.sapiens_network import HEIGHT, WIDTH, PersonCrop
from lca_dataparsers.processing.estimators.sapiens_pose import GOLIATH_OF, SapiensPose, peaks
from lca_shared.errors import MissingWeightsError, UserError

SEGMENTER = "sapiens_0.6b_goliath_best_goliath_mIoU_7777_epoch_178_torchscript.pt2"
BOX = np.array([60, 40, 140, 220], np.float32)


class RedIsNobody(torch.nn.Module):
    """28 classes at half the size: background where the picture is red."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(pixels, 2)
        logits = torch.zeros(1, 28, small.shape[2], small.shape[3])
        logits[:, 0] = 20.0 * small[:, 0]
        logits[:, 21] = 20.0 * small[:, 1]
        return logits


class BrightestGreen(torch.nn.Module):
    """308 heat maps at a quarter of the size, all with a Gaussian where the picture is greenest."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        best = pixels[0, 1].flatten().argmax()
        column, row = (best % 768) * 191.0 / 767.0, (best // 768) * 255.0 / 1023.0
        rows, columns = torch.arange(256.0)[:, None], torch.arange(192.0)[None]
        peak = torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 6.0**2))
        return peak.expand(1, 308, 256, 192).contiguous()


def saved(network: torch.nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.script(network).save(str(path))


def somebody(mask: np.ndarray) -> Sighting:
    return Sighting(np.zeros((33, 2), np.float32), np.ones(33, np.float32), np.zeros((33, 3), np.float32), mask, BOX)


def test_a_crop_goes_in_and_its_map_comes_back_in_place() -> None:
    rows, columns = np.mgrid[:260, :200].astype(np.float32)
    picture = np.stack([columns, rows, 0 * rows], axis=-1).round().astype(np.uint8)
    crop = PersonCrop(BOX)
    cut = crop.cut(picture)
    assert cut.shape == (HEIGHT, WIDTH, 3)
    inside = (slice(50, 210), slice(70, 130))
    for channel, expected in ((0, columns), (1, rows)):
        back = crop.back(cut[..., channel].astype(np.float32), (200, 260))
        np.testing.assert_allclose(back[inside], expected[inside], atol=1.0)
    half = crop.back(cut[::2, ::2, 0].astype(np.float32), (200, 260))
    np.testing.assert_allclose(half[inside], columns[inside], atol=1.0)


@pytest.mark.parametrize("alone", [True, False])
def test_masks_are_all_that_is_not_background(tmp_path: Path, alone: bool) -> None:
    saved(RedIsNobody(), tmp_path / "sapiens" / SEGMENTER)
    picture = np.zeros((260, 200, 3), np.uint8)
    picture[..., 0] = 255
    picture[60:200, 80:120] = (0, 255, 0)
    picture[60:200, 130:136] = (0, 255, 0)  # somebody else, half hidden
    body = np.zeros((260, 200), np.uint8)
    body[60:200, 80:120] = 255
    mask = SapiensMasks("sapiens", tmp_path, "cpu").mask(picture, somebody(body), alone)
    assert mask.shape == (260, 200)
    assert (mask[65:195, 83:117] > 250).all() and (mask[:50] == 0).all()
    assert (mask[65:195, 131:135] > 127).all() == alone
    edge = int(np.flatnonzero(mask[130] > 127)[0])
    assert abs(edge - 80) <= 1


def test_points_are_where_heat_maps_peak(tmp_path: Path) -> None:
    saved(BrightestGreen(), tmp_path / "sapiens" / "sapiens_1b_goliath_best_goliath_AP_639_torchscript.pt2")
    picture = np.zeros((260, 200, 3), np.uint8)
    picture[151, 97, 1] = 255

    class Finder(Nothing):
        def people(self, image: np.ndarray, expected: np.ndarray | None = None) -> list[Sighting]:
            return [somebody(np.zeros((260, 200), np.uint8))]

    pose = SapiensPose("sapiens", Finder, tmp_path, "cpu")
    (person,) = pose.people(picture)
    moved = sorted(GOLIATH_OF)
    np.testing.assert_allclose(person.points[moved], np.tile([97.5, 151.5], (len(moved), 1)), atol=0.3)
    assert (person.points[[1, 3, 4, 6, 9, 10]] == 0).all()
    np.testing.assert_allclose(person.visibility[moved], 1.0, atol=0.01)


def test_peaks_of_gaussians_are_exact() -> None:
    rows, columns = np.mgrid[:40, :30]
    centres = np.array([[11.3, 20.7], [5.0, 33.49]])
    maps = np.exp(-((columns - centres[:, 0, None, None]) ** 2 + (rows - centres[:, 1, None, None]) ** 2) / 18)
    places, heights = peaks(maps)
    np.testing.assert_allclose(places, centres, atol=1e-6)
    assert (heights > 0.95).all()


def tiny_sapiens2(folder: Path, task: str) -> None:
    from transformers import (
        Sapiens2Config,
        Sapiens2ForImageMatting,
        Sapiens2ForPoseEstimation,
        Sapiens2ForSemanticSegmentation,
    )

    classes = {"seg": (29, Sapiens2ForSemanticSegmentation), "pose": (308, Sapiens2ForPoseEstimation)}
    count, network = classes.get(task, (4, Sapiens2ForImageMatting))
    head = {"upsample_out_channels": [8], "conv_out_channels": [8]}
    config = Sapiens2Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_first_full_attention_layers=1,
        num_last_full_attention_layers=0,
        image_size=[HEIGHT, WIDTH],
        patch_size=64,
        num_labels=count,
        head_config=head,
    )
    network(config).save_pretrained(folder / f"sapiens2-{task}-0.4b")


@pytest.mark.slow
def test_sapiens2_is_read_through_transformers(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (260, 200, 3), np.uint8)
    body = np.full((260, 200), 255, np.uint8)
    for task in ("seg", "pose", "matting"):
        tiny_sapiens2(tmp_path, task)
    mask = SapiensMasks("sapiens2", tmp_path, "cpu")
    assert mask.mask(picture, somebody(body), True).shape == (260, 200) and "0.4b" in mask.name
    alpha = SapiensMatting(tmp_path, "cpu").alpha(picture, somebody(body), 0 * body)
    assert alpha.shape == (260, 200) and not alpha.any()

    class Finder(Nothing):
        def people(self, image: np.ndarray, expected: np.ndarray | None = None) -> list[Sighting]:
            return [somebody(body)]

    assert len(SapiensPose("sapiens2", Finder, tmp_path, "cpu").people(picture)) == 1


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LCA_MODEL_DIR", raising=False)
    with pytest.raises(MissingWeightsError, match=r"sapiens/sapiens_1b_goliath_best_goliath_mIoU"):
        SapiensMasks("sapiens", tmp_path, "cpu")
    with pytest.raises(MissingWeightsError, match="sapiens2-matting-1b"):
        SapiensMatting(tmp_path, "cpu")
    (tmp_path / "sapiens").mkdir()
    (tmp_path / "sapiens" / SEGMENTER).write_bytes(b"no network")
    with pytest.raises(MissingWeightsError, match="not a TorchScript"):
        SapiensMasks("sapiens", tmp_path, "cpu")
    (tmp_path / "sapiens2-seg-1b").mkdir()
    (tmp_path / "sapiens2-seg-1b" / "config.json").write_text(json.dumps({"model_type": "sapiens2"}))
    with pytest.raises(MissingWeightsError, match="sapiens2-seg-1b does not hold"):
        SapiensMasks("sapiens2", tmp_path, "cpu")


def test_no_gpu_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    saved(RedIsNobody(), tmp_path / "sapiens" / SEGMENTER)
    with pytest.raises(UserError, match=r"--estimators\.device cpu"):
        SapiensMasks("sapiens", tmp_path, "auto")


def test_options_are_what_the_registry_knows() -> None:
    for kind, known in registry.KINDS.items():
        (annotation,) = (f.type for f in EstimatorConfig.__dataclass_fields__.values() if f.name == kind)
        assert set(annotation.__args__) == set(known)


def test_each_kind_can_be_left_out(models: Path) -> None:
    config = EstimatorConfig(face="none", hands="none", expression="none", gaze="none")
    estimator = build_estimator(config, models)
    picture = np.full((200, 100, 3), 90, np.uint8)
    details = estimator.details(picture, somebody(np.full((200, 100), 255, np.uint8)), True)
    assert np.isnan(details.face_points).all() and np.isnan(details.hand_points).all()
    assert not details.blendshapes.any() and details.mask.shape == (200, 100)
    estimator.close()
