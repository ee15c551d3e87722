"""Edits: what is kept is kept exactly, and everything can be driven."""

from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler
from small_generator import ANCHORS, LCA_SHA, small_pipeline

from genlca_method.cli import main
from genlca_method.editing.editing import edited
from genlca_method.editing.person import TokenPerson, read_person, write_person
from genlca_method.editing.regions import kept_anchors, parts_of
from genlca_method.editing.sampling import resampled
from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.parts import PARTS
from genlca_method.tokens.shards import TokenShards
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.trained_network import TrainedNetwork
from lca_shared.body.model import BodyPose
from lca_shared.errors import UserError


@pytest.fixture
def person(pipeline: GenLCAPipeline) -> TokenPerson:
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randn(ANCHORS, pipeline.decoder.layout.channels, generator=generator)
    return TokenPerson(
        tokens, torch.rand(ANCHORS, generator=generator) < 0.6, 0.3 * torch.randn(37, generator=generator)
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def raised_arm(avatar: Avatar) -> BodyPose:
    pose = avatar.rest_pose
    pose.joint_rotations[avatar.body.driven_joints.index("upperarm01.L"), 1] = -0.6
    return pose


def of_anchors(values: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    return values.unflatten(0, (ANCHORS, -1))[anchors]


def test_what_is_kept_is_the_same_at_rest_and_moving(pipeline: GenLCAPipeline, person: TokenPerson) -> None:
    parts = parts_of(pipeline.decoder)
    kept = kept_anchors(parts, person.valid, change=("upper",))
    assert torch.equal(kept, ~parts["upper"]) and kept.any() and not kept.all()
    after = edited(pipeline, person, kept, "a red top", steps=3, generator=seeded())
    assert torch.equal(after.tokens[kept], person.tokens[kept]) and torch.equal(after.shape, person.shape)
    assert not torch.isclose(after.tokens[~kept], person.tokens[~kept]).all(dim=-1).any()
    assert after.valid[~kept].all() and torch.equal(after.valid[kept], person.valid[kept])
    avatars = [pipeline.decoder.avatar(one.tokens, one.shape) for one in (person, after)]
    for pose in (avatars[0].rest_pose, raised_arm(avatars[0])):
        one, other = (avatar.drive(pose, torch.full((52,), 0.3)) for avatar in avatars)
        for name in ("means", "quaternions", "scales", "opacities", "colors"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert torch.isfinite(theirs).all()
            torch.testing.assert_close(of_anchors(theirs, kept), of_anchors(ours, kept), atol=1e-6, rtol=1e-6)
        assert not torch.allclose(of_anchors(one.colors, ~kept), of_anchors(other.colors, ~kept))


def test_completion_keeps_what_was_seen_and_ignores_what_was_not(pipeline: GenLCAPipeline, person: TokenPerson) -> None:
    kept = kept_anchors(parts_of(pipeline.decoder), person.valid, complete=True)
    assert torch.equal(kept, person.valid)
    spoiled = TokenPerson(torch.where(kept[:, None], person.tokens, 50.0), person.valid, person.shape)
    first, second = (edited(pipeline, one, kept, steps=3, generator=seeded()) for one in (person, spoiled))
    assert torch.equal(first.tokens, second.tokens) and first.valid.all()


def test_a_completion_is_the_mean_of_its_draws(pipeline: GenLCAPipeline, person: TokenPerson) -> None:
    kept = person.valid
    noise = torch.randn(3, ANCHORS * 8 + 37, generator=seeded())
    several = edited(pipeline, person, kept, "a person", draws=3, steps=3, generator=seeded())
    each = []
    for row in noise:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "randn", lambda *_, row=row, **__: row[None])
            each.append(edited(pipeline, person, kept, "a person", steps=3))
    assert torch.equal(several.tokens[kept], person.tokens[kept])
    apart = [(several.tokens - one.tokens)[~kept].square().mean() for one in each]
    between = [(one.tokens - other.tokens)[~kept].square().mean() for one, other in zip(each, [*each[1:], each[0]])]
    assert 0 < max(apart) < max(between)
    with pytest.raises(UserError, match="draws"):
        edited(pipeline, person, kept, draws=0)


def test_seeds_strength_and_shape(pipeline: GenLCAPipeline, person: TokenPerson) -> None:
    kept = torch.zeros(ANCHORS).bool()

    def tokens(seed: int = 0, strength: float = 1.0) -> torch.Tensor:
        return edited(pipeline, person, kept, "a person", strength=strength, steps=10, generator=seeded(seed)).tokens

    assert torch.equal(tokens(), tokens()) and not torch.allclose(tokens(), tokens(1))
    with torch.no_grad():
        there = pipeline.autoencoder(person.tokens, person.valid)
    near, far = (float((tokens(strength=strength) - there)[person.valid].abs().mean()) for strength in (0.1, 1.0))
    assert near < 0.5 * far
    other = edited(pipeline, person, kept, keep_shape=False, steps=2, generator=seeded())
    assert not torch.allclose(other.shape, person.shape)
    with pytest.raises(UserError, match="strength"):
        tokens(strength=0.0)


@pytest.mark.parametrize("scheduler", [FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler])
def test_everything_kept_comes_back_through_any_scheduler(pipeline: GenLCAPipeline, scheduler: type) -> None:
    latents, shape = torch.randn(1, ANCHORS, 8), torch.randn(1, 37)
    kept = torch.ones(1, ANCHORS).bool()
    kept[0, :4] = False
    given = pipeline.conditioner(["a person"], [{}])
    for strength in (1.0, 0.4):
        with torch.no_grad():
            found, found_shape = resampled(
                pipeline.transformer, scheduler(), given, latents, shape, kept, kept, strength=strength, steps=4
            )
        assert torch.equal(found[kept], latents[kept]) and torch.equal(found_shape, shape)
        assert torch.isfinite(found).all()


def test_which_tokens_are_kept() -> None:
    names = {name: torch.arange(12) // 2 == i for i, name in enumerate(PARTS)}
    valid = torch.arange(12) % 2 == 0
    assert kept_anchors(names, valid, keep=("face", "hair")).tolist() == [True] * 4 + [False] * 8
    assert kept_anchors(names, valid, change=("hands",)).tolist() == [True] * 10 + [False] * 2
    assert torch.equal(kept_anchors(names, valid, complete=True), valid)
    assert kept_anchors(names, valid, change=("face",), complete=True).tolist()[:3] == [False, False, True]
    assert not kept_anchors(names, valid).any()
    for options in ({"keep": PARTS}, {"keep": ("face",), "change": ("hair",)}):
        with pytest.raises(UserError):
            kept_anchors(names, valid, **options)


def test_the_command_changes_one_part(
    pipeline: GenLCAPipeline, person: TokenPerson, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    before, after = tmp_path / "before.avatar", tmp_path / "after.avatar"
    save_avatar(pipeline.decoder.avatar(person.tokens, person.shape), AvatarRecord("before"), before)
    pipeline.save_pretrained(tmp_path / "pipeline")
    command = ["edit", str(before), "--pipeline", str(tmp_path / "pipeline"), "--output", str(after)]
    command += ["--steps", "2", "--device", "cpu", "--prompt", "a red top"]
    assert main(command) == 1 and "no tokens to edit" in capsys.readouterr().err
    write_person(person, before, LCA_SHA)
    assert main([*command, "--keep", "face,hat"]) == 1 and "hat" in capsys.readouterr().err
    assert main([*command, "--keep", "face,hair"]) == 0 and "lca drive" in capsys.readouterr().out
    kept = kept_anchors(parts_of(pipeline.decoder), person.valid, keep=("face", "hair"))
    assert torch.equal(read_person(after, LCA_SHA).tokens[kept], person.tokens[kept])
    assert load_avatar(after).record.checkpoint["prompt"] == "a red top" and (after / "preview.png").is_file()
    with pytest.raises(UserError, match="another LCA"):
        read_person(after, "other")


def test_a_person_in_pictures_becomes_an_avatar_that_can_be_completed(
    people: Path, lca_run: Path, lca: TrainedNetwork, tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "emil.avatar"
    command = ["encode", str(people), "--checkpoint", str(lca_run), "--output", str(path), "--device", "cpu"]
    assert main(command) == 1 and "--subject" in capsys.readouterr().err
    assert main([*command, "--subject", "emil", "--references", "3"]) == 0
    shards = TokenShards(tokens)
    sha = str(shards.info.checkpoint["sha256"])
    found = read_person(path, sha)
    index = next(i for i in range(len(shards)) if shards.sample_info(i).subject == "emil")
    torch.testing.assert_close(found.tokens, shards[index].vectors, atol=4e-3, rtol=2e-3)  # written as float16 there
    assert torch.equal(found.valid, shards[index].counts > 0) and torch.equal(found.shape, shards[index].shape)
    made = small_pipeline(LCADecoder.of(lca, {"steps": 0, "sha256": sha}))
    made.save_pretrained(tmp_path / "pipeline")
    after = ["edit", str(path), "--pipeline", str(tmp_path / "pipeline"), "--complete", "--steps", "1"]
    assert main([*after, "--output", str(tmp_path / "whole.avatar"), "--device", "cpu"]) == 0
    whole = read_person(tmp_path / "whole.avatar", sha)
    assert whole.valid.all() and torch.equal(whole.tokens[found.valid], found.tokens[found.valid])
    kept = load_avatar(path).avatar
    assert torch.equal(kept.canonical.means, made.decoder.avatar(found.tokens, found.shape).canonical.means)
