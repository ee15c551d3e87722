"""Line drawings of parts: made from pictures, taken as conditions."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from small_generator import small_pipeline

from genlca_method.cli import main
from genlca_method.sampling.generating import part_picture
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.parts import IMAGE_PARTS, SCRIBBLES
from genlca_method.tokens.scribbles import scribble
from genlca_method.tokens.shards import TokenShards
from genlca_method.training.people import FlowPeople
from lca_shared.errors import UserError


@pytest.mark.parametrize("size", [32, 200])
def test_lines_are_where_colours_change(size: int) -> None:
    picture = torch.ones(3, size, size)
    picture[:, :, : size // 2] = torch.tensor([0.8, 0.1, 0.1])[:, None, None]
    picture[:, : size // 2, : size // 2] = torch.tensor([0.1, 0.1, 0.8])[:, None, None]
    drawn = scribble(picture)
    assert drawn.shape == picture.shape and torch.equal(drawn[0], drawn[2])
    dark = drawn[0] < 0.5
    middle, edge = size // 2, max(2, size // 20)
    assert dark[middle + edge :, middle - edge : middle + edge].any(dim=1).all()  # red beside white
    assert dark[middle - edge : middle + edge, : middle - edge].any(dim=0).all()  # blue above red
    assert not dark[:, middle + 2 * edge :].any() and not dark[: middle - 2 * edge, : middle - 2 * edge].any()
    assert torch.equal(scribble(torch.full((3, 20, 20), 0.4)), torch.ones(3, 20, 20))


def test_training_draws_some_of_the_pictures(pipeline: GenLCAPipeline, tokens: Path) -> None:
    people = FlowPeople.open(TokenShards(tokens), ("train",), pipeline.autoencoder)
    plain, drawn = (people.drawn(0, 1, range(60), scribbled=rate) for rate in (0.0, 0.4))
    assert torch.equal(plain.latents, drawn.latents)
    names = [name for given in drawn.pictures for name in given]
    assert abs(sum(name in SCRIBBLES.values() for name in names) / len(names) - 0.4) < 0.1
    for before, after in zip(plain.pictures, drawn.pictures):
        assert {name.removesuffix(" scribble") for name in after} == set(before)
        for name, picture in after.items():
            origin = before[name.removesuffix(" scribble")]
            assert torch.equal(picture, origin if name in IMAGE_PARTS else scribble(origin))


def test_drawings_are_another_condition_than_pictures(tmp_path: Path) -> None:
    pipeline = small_pipeline()
    drawing = scribble(torch.rand(3, 32, 32).round())

    def latents(**options: object) -> torch.Tensor:
        options |= {"num_inference_steps": 1, "generator": torch.Generator().manual_seed(0), "output_type": "latent"}
        return pipeline("a person", **options).latents

    drawn, shown = latents(scribbles={"upper": drawing}), latents(images={"upper": drawing})
    assert not torch.allclose(drawn, shown) and not torch.allclose(drawn, latents())
    assert not torch.allclose(drawn, latents(scribbles={"lower": drawing}))
    with pytest.raises(UserError, match="hat"):
        latents(scribbles={"hat": drawing})
    file = tmp_path / "drawn.png"
    lines = Image.new("RGBA", (60, 40))  # transparent paper
    ImageDraw.Draw(lines).line((5, 5, 50, 30), fill="black", width=2)
    lines.save(file)
    part, picture = part_picture(f"upper={file}", "scribble")
    assert part == "upper" and picture.shape == (3, 60, 60) and 0.9 < float(picture.mean()) < 1.0
    pipeline.save_pretrained(tmp_path / "pipeline")
    command = ["generate", "--pipeline", str(tmp_path / "pipeline"), "--output-dir", str(tmp_path), "--steps", "1"]
    assert main([*command, "--device", "cpu", "--scribble", f"upper={file}"]) == 0
    pipeline.transformer.register_to_config(modalities=7)
    with pytest.raises(UserError, match="no scribbles"):
        latents(scribbles={"upper": drawing})
