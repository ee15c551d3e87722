"""The diffusers pipeline: guidance, seeds, saving, schedulers, and what it makes is an avatar."""

from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchHeunDiscreteScheduler

from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.guidance import guided_velocity, joined, parted
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.shards import TokenShards
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.trained_network import TrainedNetwork
from lca_shared.errors import UserError


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_same(first: Avatar, second: Avatar) -> None:
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, atol=0, rtol=0)


def test_guidance_of_one_is_the_condition_alone(pipeline: GenLCAPipeline) -> None:
    model = pipeline.transformer
    given = pipeline.conditioner(["a red top", "blue shoes"], [{}, {"face": torch.rand(3, 16, 16)}])
    state, time = torch.randn(2, 48 * 8 + 37), torch.tensor(500.0)
    with torch.no_grad():
        plainly = joined(*model(*parted(state, 48, 8), time.expand(2), given))
        nothing = joined(*model(*parted(state, 48, 8), time.expand(2), given.nothing()))
        torch.testing.assert_close(guided_velocity(model, state, time, given, 1.0), plainly)
        for scale in (0.0, 4.0):
            expected = nothing + scale * (plainly - nothing)
            expected[:, 48 * 8 :] = plainly[:, 48 * 8 :]  # the shape is not guided
            torch.testing.assert_close(
                guided_velocity(model, state, time, given, scale), expected, atol=1e-4, rtol=1e-3
            )
    assert not torch.allclose(plainly, nothing)


def test_the_decoder_is_the_models_own_heads(lca: TrainedNetwork, tokens: Path) -> None:
    decoder = LCADecoder.of(lca, {})
    sample = TokenShards(tokens)[0]
    with torch.no_grad():
        code = lca.network.decode(decoder.layout.unpack(sample.vectors), sample.shape, step=lca.training_step)
    assert_same(avatar_of(lca.network, code), decoder.avatar(sample.vectors, sample.shape))
    names = {name.split(".")[1] for name, _ in decoder.named_parameters()}
    assert names == {"canonical_head", "pose_head"}  # of what is learned


def test_seeds_steps_and_prompts_matter(pipeline: GenLCAPipeline) -> None:
    def latents(prompt: str = "a tall person", seed: int = 0, **options: object) -> torch.Tensor:
        return pipeline(prompt, num_inference_steps=4, generator=seeded(seed), output_type="latent", **options).latents

    assert torch.equal(latents(), latents())
    assert not torch.allclose(latents(), latents(seed=1))
    assert not torch.allclose(latents(), latents("a short person"))
    assert not torch.allclose(latents(), latents(guidance_scale=1.0))
    assert not torch.allclose(latents(), latents(images={"shoes": torch.rand(3, 20, 20)}))
    several = pipeline(["a", "b"], num_inference_steps=2, num_avatars_per_prompt=2, output_type="latent")
    assert several.latents.shape == (4, 48, 8) and several.shapes.shape == (4, 37) and several.avatars == []
    with pytest.raises(UserError, match="hat"):
        latents(images={"hat": torch.rand(3, 8, 8)})
    with pytest.raises(UserError, match="1 step"):
        pipeline("a", num_inference_steps=0)


def test_a_mistyped_folder_is_not_looked_for_on_the_hub(tmp_path: Path) -> None:
    for place in ("nowhere", str(tmp_path / "runs" / "nobody"), "./own/run"):
        with pytest.raises(UserError, match=f"no folder {place}"):
            load_pipeline(place)


def test_saved_loaded_and_the_same_person_again(pipeline: GenLCAPipeline, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").rglob("*.bin"))
    loaded = GenLCAPipeline.from_pretrained(tmp_path / "saved")
    loaded.set_progress_bar_config(disable=True)
    first, second = (
        made("a red top", num_inference_steps=3, generator=seeded(5)).avatars[0] for made in (pipeline, loaded)
    )
    assert_same(first, second)
    path = tmp_path / "a.avatar"
    save_avatar(first, AvatarRecord("a"), path)
    kept = load_avatar(path).avatar
    assert_same(first, kept)
    posed = kept.drive(kept.rest_pose, torch.zeros(52))
    assert torch.isfinite(posed.means).all() and posed.count == 192


def test_other_schedulers_fit(pipeline: GenLCAPipeline) -> None:
    heun = GenLCAPipeline(
        pipeline.transformer, pipeline.autoencoder, pipeline.decoder, FlowMatchHeunDiscreteScheduler()
    )
    heun.set_progress_bar_config(disable=True)

    def latents(made: GenLCAPipeline, steps: int) -> torch.Tensor:
        options = {"generator": seeded(0), "output_type": "latent", "guidance_scale": 1.0}
        return made("a person", num_inference_steps=steps, **options).latents

    fine = latents(pipeline, 30)
    of_heun, of_euler = (float((latents(made, 8) - fine).abs().mean()) for made in (heun, pipeline))
    assert of_heun < of_euler < 0.5
