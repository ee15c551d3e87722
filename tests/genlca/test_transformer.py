"""Laws of the transformer and of flow matching."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from genlca_method.conditioning.tokens import MODALITIES, ConditionTokens, dropped, together
from genlca_method.transformer.flow import drawn_levels, flow_losses, shift_for, shifted
from genlca_method.transformer.flow_config import FlowConfig
from genlca_method.transformer.given import Given, OtherViews, drawn_given
from genlca_method.transformer.mmdit import GenLCATransformer
from genlca_method.transformer.patches import neighbours
from lca_shared.errors import UserError

ANCHORS, WORDS, PATCHES = 20, 6, 8


def small(seed: int = 0, stirred: bool = True, patch: int = 1) -> GenLCATransformer:
    """A small model; ``stirred``: no layer at zero any more, as after some training."""
    torch.manual_seed(seed)
    model = GenLCATransformer(ANCHORS, 8, 5, 12, 10, width=32, layers=2, heads=2, mlp_ratio=2.0, patch=patch)
    model.set_template(torch.rand(ANCHORS, 3))
    if stirred:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def some_conditions(people: int = 2, seed: int = 0) -> ConditionTokens:
    generator = torch.Generator().manual_seed(seed)
    seen = torch.ones(people, WORDS).bool()
    seen[:, 4:] = False
    modality = torch.tensor([1, 1, 2, 2, 3, 3, 6, 6]).expand(people, -1).contiguous()
    shown = torch.ones(people, PATCHES).bool()
    shown[:, 4:6] = False
    text, image = (torch.randn(people, n, c, generator=generator) for n, c in ((WORDS, 12), (PATCHES, 10)))
    return ConditionTokens(text, seen, image, shown, modality)


def some_state(people: int = 2, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(people, ANCHORS, 8, generator=generator)
    return latents, torch.randn(people, 5, generator=generator), torch.rand(people, generator=generator) * 1000


@pytest.mark.parametrize("patch", [1, 4])
def test_anchors_are_told_apart_by_their_points_alone(patch: int) -> None:
    model, (latents, shape, time), given = small(patch=patch), some_state(), some_conditions()
    order = torch.randperm(ANCHORS)
    valid = torch.rand(2, ANCHORS) < 0.6
    with torch.no_grad():
        straight, straight_shape = model(latents, shape, time, given, valid)
        model.set_template(model.positions[order])
        permuted, permuted_shape = model(latents[:, order], shape, time, given, valid[:, order])
    torch.testing.assert_close(permuted, straight[:, order], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(permuted_shape, straight_shape, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(straight[:, 0], straight[:, 1])


def test_groups_are_neighbours() -> None:
    torch.manual_seed(0)
    points = torch.rand(96, 3)
    groups = neighbours(points, 4)
    assert sorted(groups.flatten().tolist()) == list(range(96))
    across = torch.cdist(points[groups], points[groups]).amax(dim=(1, 2))
    assert (
        across.mean()
        < 0.6 * torch.cdist(points[: 4 * 24].view(24, 4, 3), points.view(24, 4, 3)).amax(dim=(1, 2)).mean()
    )
    with pytest.raises(UserError, match="groups of 5"):
        neighbours(points, 5)


def test_the_untrained_velocity_is_the_best_guess_from_the_noisy_values() -> None:
    """The error of a least-squares line through (noisy, velocity), with a deviation of 1 on both sides."""
    model, generator = small(stirred=False), torch.Generator().manual_seed(0)
    data, noise = torch.randn(2, 64, ANCHORS, 8, generator=generator)
    shape = torch.zeros(64, 5)
    for level in (0.1, 0.5, 0.9):
        noisy, truth = torch.lerp(data, noise, level), noise - data
        with torch.no_grad():
            found, _ = model(noisy, shape, torch.full((64,), 1000 * level), some_conditions(64))
        assert abs(float((found - truth).square().mean()) * (level**2 + (1 - level) ** 2) - 1) < 0.05
        assert abs(float(((found - truth) * noisy).mean())) < 0.03


@pytest.mark.parametrize("patch", [1, 4])
def test_what_is_not_valid_leaks_nowhere(patch: int) -> None:
    model, (latents, shape, time), given = small(patch=patch), some_state(), some_conditions()
    valid = torch.rand(2, ANCHORS) < 0.6
    others = torch.where(valid[..., None], latents, 1000 * torch.randn_like(latents))
    with torch.no_grad():
        first, second = (model(x, shape, time, given, valid) for x in (latents, others))
        unmasked = model(others, shape, time, given)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.allclose(unmasked[0], first[0])
    generators = (torch.Generator().manual_seed(3) for _ in range(2))
    losses = [
        flow_losses(model, x, shape, valid, given, FlowConfig(), g) for x, g in zip((latents, others), generators)
    ]
    torch.testing.assert_close(losses[0], losses[1])
    plain = FlowConfig(masked_loss=False, placeholder=False)
    assert flow_losses(model, others, shape, valid, given, plain)["latents"] > 100 * losses[0]["latents"]


def test_conditions_that_are_not_there_leak_nowhere() -> None:
    model, (latents, shape, time), given = small(), some_state(), some_conditions()
    noise = replace(
        given,
        text=torch.where(given.text_seen[..., None], given.text, torch.full_like(given.text, 50.0)),
        image=torch.where(given.image_seen[..., None], given.image, torch.full_like(given.image, -50.0)),
    )
    with torch.no_grad():
        torch.testing.assert_close(model(latents, shape, time, given)[0], model(latents, shape, time, noise)[0])
        nothing = model(latents, shape, time, given.nothing())[0]
        torch.testing.assert_close(nothing, model(latents, shape, time, noise.nothing())[0])
        assert not torch.allclose(nothing, model(latents, shape, time, given)[0])
        longer = together([given, replace(given, text=torch.randn(2, 9, 12), text_seen=torch.ones(2, 9).bool())])[:2]
        torch.testing.assert_close(
            model(latents, shape, time, longer)[0], model(latents, shape, time, given)[0], atol=1e-5, rtol=1e-4
        )


def test_people_do_not_see_each_other() -> None:
    model, (latents, shape, time), given = small(), some_state(), some_conditions()
    with torch.no_grad():
        both = model(latents, shape, time, given)
        alone = model(latents[1:], shape[1:], time[1:], given[1:])
    torch.testing.assert_close(both[0][1:], alone[0], atol=1e-5, rtol=1e-4)


def test_each_modality_is_left_out_on_its_own() -> None:
    given = some_conditions(400)
    torch.manual_seed(0)
    left = dropped(given, 0.3, 0.1)
    rates = {}
    for name, index in (("text", 0), ("face", 1), ("hair", 2), ("whole", 6)):
        before = given.text_seen if index == 0 else given.image_seen & (given.image_modality == index)
        after = left.text_seen if index == 0 else left.image_seen & (given.image_modality == index)
        assert not (after & ~before).any()
        kept = after.any(1)
        assert torch.equal(after[kept], before[kept])  # all of it or nothing
        rates[name] = 1 - kept.float().mean()
    assert all(abs(float(rate) - 0.37) < 0.08 for rate in rates.values())
    nothing = ~left.text_seen.any(1) & ~left.image_seen.any(1)
    assert 0.08 < nothing.float().mean() < 0.2
    assert len(MODALITIES) == 13
    kept = dropped(given, 0.0, 0.0)
    assert torch.equal(kept.text_seen, given.text_seen) and torch.equal(kept.image_seen, given.image_seen)


def test_pictures_are_learned_alone_too() -> None:
    given = some_conditions(400)
    torch.manual_seed(0)
    left = dropped(given, 0.0, 0.0, alone_rate=0.5)
    parts = [left.image_seen & (left.image_modality == index) for index in range(1, len(MODALITIES))]
    pictures = torch.stack([part.any(dim=1) for part in parts]).sum(dim=0)
    texts = left.text_seen.any(dim=1)
    assert 0.4 < (~texts).float().mean() < 0.6
    assert ((pictures == 1) & ~texts).float().mean() > 0.02 and ((pictures > 1) & texts).float().mean() > 0.1
    without_pictures = dropped(given, 0.0, 0.0, pictures_rate=1.0, alone_rate=0.5)
    assert without_pictures.text_seen.any(dim=1).all() and not without_pictures.image_seen.any()


def test_every_weight_learns() -> None:
    model, (latents, shape, _), given = small(patch=4).train(), some_state(), some_conditions()
    losses = flow_losses(model, latents, shape, torch.rand(2, ANCHORS) < 0.6, given, FlowConfig())
    torch.stack(list(losses.values())).sum().backward()
    still = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not float(parameter.grad.abs().sum()) > 0
    ]
    assert still == []


def test_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointed in (False, True):
        model, (latents, shape, _), given = small().train(), some_state(), some_conditions()
        if checkpointed:
            model.enable_gradient_checkpointing()
            assert model.gradient_checkpointing
        valid, generator = torch.ones(2, ANCHORS).bool(), torch.Generator().manual_seed(0)
        losses = flow_losses(model, latents, shape, valid, given, FlowConfig(), generator)
        torch.stack(list(losses.values())).sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_levels_are_those_of_the_scheduler(shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    torch.testing.assert_close(shifted(torch.linspace(1, 0.001, 1000), shift), scheduler.sigmas, atol=1e-4, rtol=1e-4)
    latents, noise = torch.randn(2, 1, 3, 8)
    timestep = scheduler.timesteps[300:301]
    level = float(timestep / 1000)
    torch.testing.assert_close(
        scheduler.scale_noise(latents, timestep, noise), torch.lerp(latents, noise, level), atol=1e-5, rtol=1e-4
    )
    scheduler.set_timesteps(4)
    before, after = float(scheduler.sigmas[0]), float(scheduler.sigmas[1])
    there = torch.lerp(latents, noise, before)
    moved = scheduler.step(noise - latents, scheduler.timesteps[0], there).prev_sample
    torch.testing.assert_close(moved, torch.lerp(latents, noise, after))  # the velocity of a straight line


def test_drawn_levels() -> None:
    levels = drawn_levels(20_000, FlowConfig(), 64, torch.Generator().manual_seed(0))
    assert abs(float(levels.median()) - 0.5) < 0.01 and 0.0 < levels.min() and levels.max() < 1.0
    later = drawn_levels(20_000, FlowConfig(), 8192, torch.Generator().manual_seed(0))
    assert shift_for(64 * 16) == 4.0 and abs(float(later.median()) - shift_for(8192) / (1 + shift_for(8192))) < 0.01


@pytest.mark.slow
def test_one_person_is_learned_by_heart() -> None:
    """Trained on one person of whom half is seen, sampling gives back the seen half."""
    torch.manual_seed(0)
    model, given = small(stirred=False).train(), some_conditions(1)
    latents, shape = torch.randn(1, ANCHORS, 8), torch.randn(1, 5)
    valid = (torch.arange(ANCHORS) % 2 == 0)[None]
    spoiled = torch.where(valid[..., None], latents, torch.full_like(latents, 9.0))
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(180):
        some = [value.expand(8, *value.shape[1:]) for value in (spoiled, shape, valid)]
        losses = flow_losses(model, *some, given[[0] * 8], FlowConfig(shape_weight=1.0))
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
    model.eval()
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(20)
    state = torch.randn(1, ANCHORS * 8 + 5)
    for timestep in scheduler.timesteps:
        with torch.no_grad():
            moving, body = state[:, : ANCHORS * 8].unflatten(1, (ANCHORS, 8)), state[:, ANCHORS * 8 :]
            found = model(moving, body, timestep.expand(1), given, valid)
        state = scheduler.step(torch.cat([found[0].flatten(1), found[1]], 1), timestep, state).prev_sample
    found = state[:, : ANCHORS * 8].unflatten(1, (ANCHORS, 8))
    assert (found - latents)[valid].square().mean() < 0.1
    assert (state[:, ANCHORS * 8 :] - shape).square().mean() < 0.1


def test_saved_and_loaded(tmp_path: Path) -> None:
    model, (latents, shape, time), given = small(), some_state(), some_conditions()
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "diffusion_pytorch_model.safetensors"}
    loaded = GenLCATransformer.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(latents, shape, time, given)[0], model(latents, shape, time, given)[0])


def test_what_is_given_clean_is_marked_and_needs_no_velocity() -> None:
    model, (latents, shape, time), told = small(patch=4), some_state(), some_conditions()
    given, _ = drawn_given(model.positions, 2, 1.0, torch.Generator().manual_seed(0))
    with torch.no_grad():
        first, second = (model(latents, shape, time, told, None, one)[0] for one in (None, given))
    assert not torch.allclose(first, second)
    valid = torch.ones(2, ANCHORS).bool()

    def loss(away: float) -> torch.Tensor:
        """With the velocities of the given anchors that much off."""
        with torch.no_grad():
            model.latent_out.bias.fill_(0.0)
        found = model.latent_out.register_forward_hook(
            lambda _, __, out: out + away * given.anchors[:, model.groups].repeat_interleave(8, dim=-1)
        )
        try:
            with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
                patch.setattr("genlca_method.transformer.flow.drawn_given", lambda *_: (given, torch.zeros(2).bool()))
                generator = torch.Generator().manual_seed(5)
                return flow_losses(model, latents, shape, valid, told, FlowConfig(), generator)["latents"]
        finally:
            found.remove()

    torch.testing.assert_close(loss(0.0), loss(100.0))


def test_drawn_given_is_one_side_or_what_lies_outside_of_a_slab() -> None:
    points = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    given, elsewhere = drawn_given(points, 600, 0.5, torch.Generator().manual_seed(1))
    assert not elsewhere.any()
    some = given.anchors.any(dim=1)
    assert abs(float(some.float().mean()) - 0.5) < 0.06 and not given.shape[~some].any()
    shares = given.anchors[some].float().mean(dim=1)
    assert 0.14 < shares.min() < 0.2 and 0.8 < shares.max() < 0.86
    middles = torch.stack([points[row].mean(dim=0).norm() for row in given.anchors[some]])
    assert (middles > 0.5).any() and (middles < 0.2).any()  # sides; outsides of slabs, which lie around the middle
    everybody, _ = drawn_given(points, 3, 0.0)
    assert not everybody.anchors.any() and not everybody.shape.any()


def test_drawn_given_is_also_what_other_pictures_show_and_all_but_some_parts() -> None:
    points, people = torch.randn(400, 3, generator=torch.Generator().manual_seed(0)), 900
    parts = torch.arange(400)[None] // 100 == torch.arange(4)[:, None]
    seen = torch.rand(people, 400, generator=torch.Generator().manual_seed(2)) < 0.5
    seen[::2] = False  # every other person has no other pictures
    given, elsewhere = drawn_given(points, people, 1.0, torch.Generator().manual_seed(1), parts, seen)
    assert torch.equal(given.anchors[elsewhere], seen[elsewhere]) and not elsewhere[::2].any()
    assert abs(float(elsewhere[1::2].float().mean()) - 1 / 2) < 0.06
    of_parts = torch.stack([given.anchors[:, part] for part in parts], dim=1)
    whole = (of_parts.all(dim=2) | ~of_parts.any(dim=2)).all(dim=1)
    assert abs(float(whole.float().mean()) - 1 / 4) < 0.06
    assert not given.anchors[whole].all(dim=1).any()  # something is always left to do


def test_guesses_are_hints_where_they_are_given() -> None:
    model, (latents, shape, time), told = small(patch=4), some_state(), some_conditions()
    torch.manual_seed(1)
    reading = GenLCATransformer(ANCHORS, 8, 5, 12, 10, width=32, layers=2, heads=2, mlp_ratio=2.0, patch=4, hints=True)
    reading.load_state_dict(model.state_dict(), strict=False)
    guesses, clean = torch.randn_like(latents), torch.rand(2, ANCHORS) < 0.5
    given = Given(clean, torch.zeros(2).bool(), guesses, ~clean)
    with torch.no_grad():
        plain = model(latents, shape, time, told, None, given)[0]
        torch.testing.assert_close(reading(latents, shape, time, told, None, given)[0], plain)  # nothing learnt yet
        reading.guess_in.weight.normal_()
        found = reading(latents, shape, time, told, None, given)[0]
        assert not torch.allclose(found, plain, atol=1e-3)
        elsewhere = torch.where(clean[..., None], 9.0, guesses)  # a hint at what is given is none
        other = reading(latents, shape, time, told, None, replace(given, guesses=elsewhere))[0]
        torch.testing.assert_close(other, found)
        without = reading(latents, shape, time, told, None, replace(given, guessed=torch.zeros_like(clean)))[0]
        torch.testing.assert_close(without, plain)
    twice = given.twice()
    assert twice.guessed is not None and len(twice.guessed) == len(twice.shape) == 4


def test_what_other_pictures_show_is_given_as_they_tell_it() -> None:
    model, (latents, shape, _), told = small(patch=4), some_state(), some_conditions()
    valid, guesses = torch.rand(2, ANCHORS) < 0.6, torch.randn_like(latents)
    others = OtherViews(torch.randn_like(latents), torch.rand(2, ANCHORS) < 0.5, guesses)
    read: list[torch.Tensor] = []

    def loss(other: OtherViews, own: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            given = drawn_given(model.positions, 2, 1.0, torch.Generator().manual_seed(0))[0]
            given = replace(given, anchors=other.valid)
            patch.setattr("genlca_method.transformer.flow.drawn_given", lambda *_: (given, torch.ones(2).bool()))
            hook = model.latent_in.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
            generator = torch.Generator().manual_seed(5)
            found = flow_losses(model, own, shape, valid, told, FlowConfig(), generator, other)
            hook.remove()
        return found["latents"]

    loss(others, latents)
    taken = read[-1].unflatten(-1, (4, 8))[others.valid[:, model.groups]]
    torch.testing.assert_close(taken, others.latents[:, model.groups][others.valid[:, model.groups]])
    elsewhere = torch.where((valid & ~others.valid)[..., None], latents, 9.0)  # own latents of what is given: not read
    torch.testing.assert_close(loss(others, elsewhere), loss(others, latents))
