"""Evaluation: judges, distances, and the command on a small untrained generator."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_generator import ANCHORS, LCA_SHA

from genlca_method.cli import main
from genlca_method.evaluation.attributes import words
from genlca_method.evaluation.distances import fid, kid, spread
from genlca_method.evaluation.judges import Judge, agreement
from genlca_method.evaluation.looks import REGIONS, anchor_regions, lab, look
from genlca_method.evaluation.running import size_words
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.captions import sentence
from genlca_method.tokens.format import SampleInfo, TokensInfo, write_tokens_info
from genlca_method.tokens.shards import WrittenSample, write_shard
from genlca_method.visibility.anchor_views import VisibilityConfig
from lca_dataparsers.synthetic.attributes import attributes
from lca_dataparsers.synthetic.person import random_appearance
from lca_shared.body import get_body_model


@pytest.fixture(scope="module")
def captioned(pipeline: GenLCAPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of six people with exact attributes and random tokens, two of them held out."""
    folder = tmp_path_factory.mktemp("captioned") / "tokens"
    layout, generator = pipeline.decoder.layout, torch.Generator().manual_seed(0)
    info = TokensInfo(layout, "anny", get_body_model().shape_names, {"sha256": LCA_SHA}, VisibilityConfig(), {})
    samples = []
    for index in range(6):
        person = random_appearance(0, index)
        known = json.loads(json.dumps(attributes(person)))
        split = "test" if index > 3 else "train"
        about = SampleInfo(f"p{index}", split, (0,), sentence(known), "tests", (), known, "tests", "CC0-1.0")
        vectors = torch.randn(ANCHORS, layout.channels, generator=generator)
        seen = torch.ones(ANCHORS).long()
        samples.append(
            WrittenSample(f"p{index}", about, vectors, seen, seen.float(), torch.from_numpy(person.shape), {})
        )
    folder.mkdir()
    write_shard(folder / "tokens-000000.tar", samples)
    done = {"shards": ("tokens-000000.tar",), "samples": (6,), "complete": True}
    write_tokens_info(folder, TokensInfo(**{**vars(info), **done}))
    return folder


def test_lab_is_that_of_opencv() -> None:
    colors = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    theirs = cv2.cvtColor(np.ascontiguousarray(colors.numpy()[None]), cv2.COLOR_RGB2LAB)[0] / 100
    np.testing.assert_allclose(lab(colors).numpy(), theirs, atol=5e-3)


def test_every_anchor_has_a_region(pipeline: GenLCAPipeline) -> None:
    regions, heights = anchor_regions(pipeline.decoder), pipeline.decoder.positions()[:, 2]
    mean = {name: heights[regions == i].mean() for i, name in enumerate(REGIONS) if (regions == i).any()}
    assert mean["face"] > mean["torso"] > mean["thighs"] > mean["calves"]


def test_regions_show_their_own_colour(pipeline: GenLCAPipeline) -> None:
    regions = anchor_regions(pipeline.decoder)
    avatar = pipeline.decoder.avatar(torch.zeros(ANCHORS, pipeline.decoder.layout.channels), torch.zeros(37))
    each = avatar.networks.gaussians_per_token
    palette = torch.rand(len(REGIONS), 3, generator=torch.Generator().manual_seed(1))
    avatar.canonical_colors.copy_(palette[regions].repeat_interleave(each, 0))
    avatar.canonical_opacities.fill_(0.99)
    avatar.canonical_scales.fill_(0.02)
    seen = look(avatar, regions, 64)
    front = seen.colors[0].norm(dim=-1) > 0
    assert front[[REGIONS.index(name) for name in ("face", "torso", "thighs")]].all()
    for index in front.nonzero()[:, 0].tolist():
        nearest = (seen.colors[0, index] - lab(palette)).norm(dim=-1).argmin()
        assert int(nearest) == index


def test_judges_tell_words_apart() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = ["red", "blue", "green"] * 40
    means = {"red": 0.0, "blue": 1.0, "green": 2.0}
    values = torch.tensor([means[word] for word in truth])[:, None] + 0.2 * torch.randn(120, 4, generator=generator)
    judge = Judge.learned(values[:60], truth[:60])
    assert agreement(judge(values[60:]), truth[60:])["accuracy"] > 0.95
    noise = agreement(judge(values[60:][torch.randperm(60, generator=generator)]), truth[60:])
    assert abs(noise["accuracy"] - noise["chance"]) < 0.2 and abs(noise["chance"] - 1 / 3) < 0.05
    assert agreement(["a", "a", "a", "b"], ["a", "b", "a", "b"]) == pytest.approx(
        {"accuracy": 0.75, "error": 0.2165, "chance": 0.5, "count": 4}, abs=1e-3
    )


def test_words_are_those_of_the_outermost_garments() -> None:
    garment = {"pattern": "plain", "colors": ["red"]}
    known = {
        "skin": "tan", "height": "tall", "build": "slim", "hair": {"style": "bald", "color": "black"},
        "garments": [
            garment | {"name": "shoes", "colors": ["white"], "length": "low"},
            garment | {"name": "trousers", "colors": ["denim blue"], "length": "long"},
            garment | {"name": "top", "sleeves": "short"},
            garment | {"name": "jacket", "colors": ["navy", "grey"], "sleeves": "long"},
        ],
    }  # fmt: skip
    found = words(known)
    assert "hair colour" not in found
    assert (found["upper colour"], found["sleeves"], found["lower colour"]) == ("navy", "long", "denim blue")
    assert (found["shoe colour"], found["leg length"]) == ("white", "long")


def test_sizes_are_in_the_words_of_the_captions() -> None:
    for index in range(8):
        person = random_appearance(3, index)
        known = attributes(person)
        assert size_words(torch.from_numpy(person.shape)) == {name: known[name] for name in ("height", "build")}


def test_distances_between_sets() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 800, 5, generator=generator)
    assert fid(one, one) < 1e-6 and fid(one, other) < 0.1 and abs(kid(one, other)) < 0.2
    moved = 2 * other + torch.tensor([3.0, 0, 0, 0, 0])
    assert abs(fid(one, moved) - (9 + 5)) < 1.5  # of normal distributions: |means|^2 + sum (deviation - deviation)^2
    wide = torch.randn(6, 5, generator=generator).repeat(2, 2)  # fewer pictures than features, and a known answer
    assert abs(fid(wide, 3 * wide) - 4 * float(wide.var(dim=0).sum() + wide.mean(dim=0).square().sum())) < 1e-3
    assert kid(one, moved) > 1 and abs(spread(torch.eye(3)) - 2**0.5) < 1e-6


def test_the_command_measures_and_goes_on_where_it_was(
    pipeline: GenLCAPipeline, captioned: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pipeline.save_pretrained(tmp_path / "pipeline")
    command = ["eval", "--pipeline", str(tmp_path / "pipeline"), "--tokens", str(captioned), "--steps", "1"]
    command += ["--output-dir", str(tmp_path / "eval"), "--size", "48", "--features", "pixels"]
    assert main(command) == 0
    report = json.loads((tmp_path / "eval" / "eval.json").read_text())
    assert (report["people"], report["generated"], report["judged_from"]) == (2, 4, 4)
    assert report["attributes"]["height"]["shape"]["real"]["accuracy"] == 1.0
    assert set(report["attributes"]["shoe colour"]) == {"front", "back"} and set(report["attributes"]["skin"]) == {
        "front"
    }
    assert "| shoe colour | back |" in (tmp_path / "eval" / "eval.md").read_text()
    assert report["distances"]["features"] == "pixels" and report["diversity"]["same prompt"] > 0
    sheet = cv2.imread(str(tmp_path / "eval" / "sheet.png"))
    assert sheet is not None and sheet.shape == (2 * 48, 6 * 48, 3)
    made = sorted((tmp_path / "eval" / "made").iterdir())
    made[1].unlink()
    before = made[0].stat().st_mtime_ns
    assert main(command) == 0
    assert made[0].stat().st_mtime_ns == before and made[1].exists()
    assert json.loads((tmp_path / "eval" / "eval.json").read_text()) == report
    capsys.readouterr()
    assert main([*command, "--guidance", "5"]) == 1 and "guidance" in capsys.readouterr().err
    assert main([*command, "--clip", str(tmp_path / "none")]) == 1 and "CLIP" in capsys.readouterr().err
