"""Token shards: what is written is what the model made, once, whole, readable by others."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from genlca_method.cli import main
from genlca_method.tokens.captions import from_attributes, sentence
from genlca_method.tokens.layout import TokenLayout
from genlca_method.tokens.part_pictures import part_pictures
from genlca_method.tokens.parts import PARTS, anchor_parts
from genlca_method.tokens.shards import TokenShards
from genlca_method.visibility.anchor_views import VisibilityConfig
from genlca_method.visibility.people import person_views
from lca_dataparsers.dataset.schema import SubjectInfo
from lca_dataparsers.synthetic.attributes import attributes
from lca_dataparsers.synthetic.person import random_appearance
from lca_method.analysis.people import ShownPeople
from lca_method.networks.placement import PlacementConfig, place
from lca_method.trained_network import TrainedNetwork
from lca_shared.body import get_body_model
from lca_shared.body.anchors import SurfacePoints
from lca_shared.errors import UserError


def test_vectors_and_counts_are_the_models_own(tokens: Path, people: Path, lca: TrainedNetwork) -> None:
    shards = TokenShards(tokens)
    assert len(shards) == 8 and shards.info.samples == (3, 3, 2)
    shown = ShownPeople.open(people, lca)
    anchors = SurfacePoints(lca.network.token_faces, lca.network.token_barycentric)
    for index in (0, 5):
        sample = shards[index]
        references = shown.reader.references(sample.info.subject, sample.info.rows)
        with torch.no_grad():
            code = lca.network.read(references, sample.shape)
        torch.testing.assert_close(sample.vectors, shards.info.layout.pack(code), atol=4e-3, rtol=2e-3)
        views = person_views(lca.body, anchors, sample.shape, references, VisibilityConfig())
        assert torch.equal(sample.counts, views.counts) and 0 < int((sample.counts > 0).sum()) < 48
    first, second = shards.sample_info(0), shards.sample_info(1)
    assert first.subject == second.subject == "anna" and len(first.rows) == 3 and first.rows != second.rows


def test_vectors_decode_to_the_person(tokens: Path, people: Path, lca: TrainedNetwork) -> None:
    sample = TokenShards(tokens)[0]
    references = ShownPeople.open(people, lca).reader.references("anna", sample.info.rows)
    with torch.no_grad():
        ours = lca.network.decode(TokenShards(tokens).info.layout.unpack(sample.vectors), sample.shape)
        theirs = lca.network.encode(references, sample.shape)
    for field in fields(ours.canonical):
        torch.testing.assert_close(
            getattr(ours.canonical, field.name), getattr(theirs.canonical, field.name), atol=5e-3, rtol=5e-3
        )


@pytest.mark.parametrize(("colors", "starts"), [(False, False), (True, False), (True, True)])
def test_packing_loses_nothing(colors: bool, starts: bool) -> None:
    layout = TokenLayout(5, 6, 4, colors, starts)
    vectors = torch.randn(2, 5, layout.channels)
    code = layout.unpack(vectors)
    assert (code.color_logits is not None) == colors and (code.start is not None) == starts
    assert torch.equal(layout.pack(code), vectors)
    if starts:
        assert code.start is not None and code.color_logits is not None
        tinted = replace(code, start=replace(code.start, colors=torch.ones_like(code.color_logits)))
        torch.testing.assert_close(layout.unpack(layout.pack(tinted)).color_logits, code.color_logits + 1)


def test_shards_are_read_by_webdataset(tokens: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    from safetensors.torch import load

    shards = TokenShards(tokens)
    urls = [str(tokens / name) for name in shards.info.shards]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert len(samples) == 8
    assert torch.equal(load(samples[3]["safetensors"])["vectors"].float(), shards[3].vectors)
    assert json.loads(samples[3]["json"])["subject"] == shards[3].info.subject
    assert {name.removesuffix(".jpg") for name in samples[3] if name.endswith(".jpg")} == set(shards[3].info.parts)


def test_a_stopped_run_goes_on(
    tokens: Path, people: Path, lca_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    info = json.loads((tokens / "tokens.json").read_text())
    for name in info["shards"][:2]:
        (tmp_path / name).write_bytes((tokens / name).read_bytes())
    stopped = info | {"shards": info["shards"][:2], "samples": info["samples"][:2], "complete": False}
    (tmp_path / "tokens.json").write_text(json.dumps(stopped))
    with pytest.raises(UserError, match="not complete"):
        TokenShards(tmp_path)
    where = ["--checkpoint", str(lca_run), "--data", str(people), "--output-dir", str(tmp_path)]
    options = ["--samples", "2", "--references", "3", "--shard-samples", "3", "--part-size", "16"]
    assert main(["tokenize", *where, *options]) == 0
    assert "Wrote 2 samples (6 were there already)" in capsys.readouterr().out
    for name in info["shards"]:
        assert (tmp_path / name).read_bytes() == (tokens / name).read_bytes()
    assert main(["tokenize", *where, *options, "--seed", "1"]) == 1
    assert "other settings" in capsys.readouterr().err


def test_broken_shards_are_one_error(tokens: Path, tmp_path: Path) -> None:
    for file in tokens.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shard = tmp_path / TokenShards(tokens).info.shards[1]
    content = bytearray(shard.read_bytes())
    content[512:1100] = b"\xff" * 588
    shard.write_bytes(content)
    with pytest.raises(UserError, match="broken"):
        TokenShards(tmp_path)[3]
    shard.unlink()
    with pytest.raises(UserError, match="missing"):
        TokenShards(tmp_path)


def test_every_anchor_is_in_one_part() -> None:
    body = get_body_model()
    anchors = place(body, PlacementConfig(tokens=1024, gaussians_per_token=1)).tokens
    parts = anchor_parts(body, anchors)
    assert torch.equal(torch.stack([parts[name] for name in PARTS]).sum(0), torch.ones(1024, dtype=torch.long))
    height = anchors.read(body.template_vertices, body.faces)[:, 2]
    assert min(int(mask.sum()) for mask in parts.values()) > 10
    assert height[parts["shoes"]].max() < height[parts["lower"]].max() < height[parts["upper"]].max()
    assert height[parts["face"]].min() > height[parts["lower"]].max()


def test_parts_are_cut_where_they_are(people: Path, lca: TrainedNetwork) -> None:
    """The upper half of the body's pictures red, the lower blue, heads' own pictures green."""
    shown = ShownPeople.open(people, lca)
    shape, rows = shown.shape("anna"), (0, 2, 4)
    references = shown.reader.references("anna", rows)
    assert references.fit is not None
    anchors = place(lca.body, PlacementConfig(tokens=512, gaussians_per_token=1)).tokens
    views = person_views(lca.body, anchors, shape, references, VisibilityConfig())
    posed = lca.body.skinned(lca.body.shaped(shape, references.fit.expression), references.fit.pose)
    points = anchors.read(posed, lca.body.faces)
    parts = anchor_parts(lca.body, anchors)
    body = torch.zeros_like(references.images)
    body[:, 0, :16], body[:, 2, 16:] = 1.0, 1.0
    head = torch.zeros_like(references.face_images)
    head[:, 1] = 1.0
    painted = replace(
        references,
        images=body,
        masks=torch.ones_like(references.masks),
        face_images=head,
        face_masks=torch.ones_like(references.face_masks),
    )
    pictures = part_pictures(painted, points, views, parts, 16)
    assert {"face", "upper", "lower", "whole"} <= set(pictures)
    middle = {name: picture[:, 4:12, 4:12].mean(dim=(1, 2)) for name, picture in pictures.items()}
    assert middle["face"][1] > 0.9 and middle["lower"][2] > 0.7 and middle["upper"][0] > 0.5
    assert float(pictures["whole"][0, 4].mean()) > 0.4 and float(pictures["whole"][2, 12].mean()) > 0.4


def test_captions_say_every_attribute() -> None:
    for index in range(15):
        known = attributes(random_appearance(0, index))
        text = sentence(known)
        for garment in known["garments"]:
            assert garment["name"] in text and all(color in text for color in garment["colors"])
        assert known["skin"] in text and text == sentence(json.loads(json.dumps(known)))
        person = SubjectInfo("a", (), "train", "lca-data synth", "CC0-1.0", {"attributes": known})
        assert from_attributes(person, {}).text == text and from_attributes(person, {}).by == "synthetic attributes"
    assert sentence(known, lambda: False) == "a person"
    only = iter([False, False, False, False, *[True] * 9])
    assert sentence(known, lambda: next(only)).startswith("a person, wearing a")
    turned = sentence(known, ordered=lambda words: words[::-1])
    assert turned != text and turned.startswith(text.split(" with ")[0])
    assert sorted(re.findall(r"[a-z-]+", turned)) == sorted(re.findall(r"[a-z-]+", text))
    stranger = SubjectInfo("a", (), "train", "a camera", "unknown", {})
    assert from_attributes(stranger, {}).text == ""
