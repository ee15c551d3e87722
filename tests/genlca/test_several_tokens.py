"""Several folders of tokens as one, and who shows the same person."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_genlca_runs import small_training

from genlca_method.genlca_datamanager import GenLCADataManagerConfig
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.several import SeveralShards, opened
from genlca_method.tokens.shards import TokenShards
from genlca_method.training.people import FlowPeople, moved
from lca_method.sampling import step_generator
from lca_shared.errors import UserError


@pytest.fixture(scope="module")
def more(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tokens in another folder: other people of the same names."""
    return Path(shutil.copytree(tokens, tmp_path_factory.mktemp("more") / "tokens"))


def test_samples_follow_one_another(tokens: Path, more: Path) -> None:
    one, both = TokenShards(tokens), SeveralShards((tokens, more))
    assert isinstance(opened((tokens,)), TokenShards) and isinstance(opened((tokens, more)), SeveralShards)
    assert len(both) == 2 * len(one) and both.info == one.info and both.root == tokens
    assert torch.equal(both[len(one) + 3].vectors, one[3].vectors)
    assert both.of_split("test") == [*one.of_split("test"), *(len(one) + i for i in one.of_split("test"))]
    assert both.person(0) == both.person(1) != both.person(len(one))


def test_tokens_of_another_model_are_refused(tokens: Path, more: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(more, tmp_path / "other"))
    info = json.loads((other / "tokens.json").read_text())
    info["checkpoint"]["sha256"] = "0" * 64
    (other / "tokens.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="checkpoint differ"):
        SeveralShards((tokens, other))


def test_a_training_draws_people_of_all_folders(tokens: Path, more: Path, pipeline: GenLCAPipeline) -> None:
    manager = replace(GenLCADataManagerConfig(), datasets=(tokens, more)).setup()
    manager.encode_with(pipeline.autoencoder)
    assert len(manager.people) == 12 and len(manager.eval_people) == 4
    assert manager.people.same_person[:2] == ((1,), (0,)) and manager.people.same_person[6] == (7,)
    batch = manager.next_train(0)[1]["flow_batch"]
    both = {manager.people.shards.person(index) for index in manager.people.data.indices}
    assert len(both) == 6 and len(batch.infos) == 16
    with pytest.raises(UserError, match="not with both"):
        replace(GenLCADataManagerConfig(), datasets=(tokens, more), data=tokens).setup()
    with pytest.raises(UserError, match="--data"):
        GenLCADataManagerConfig().setup()


def test_others_show_the_same_person(tokens: Path, pipeline: GenLCAPipeline) -> None:
    people = FlowPeople.open(TokenShards(tokens), ("train",), pipeline.autoencoder)
    batch = people.batch([0, 3], [1, None])
    assert torch.equal(batch.others.latents[0], people.latents[1]) and torch.equal(
        batch.others.valid[0], people.data.valid[1]
    )
    hidden = ~people.data.valid
    assert hidden.any() and not torch.equal(people.guesses[hidden], people.latents[hidden])  # those know LCA's tokens
    assert torch.equal(batch.others.guesses[0], people.guesses[1])
    assert not batch.others.valid[1].any() and not people.batch([2]).others.valid.any()
    drawn = people.drawn(0, 0, range(20))
    for row, other in zip(drawn.latents, drawn.others.latents):
        own = next(i for i, latents in enumerate(people.latents) if torch.equal(latents, row))
        assert torch.equal(other, people.latents[people.same_person[own][0]])


def test_pictures_are_moved_a_little_on_white() -> None:
    picture = torch.ones(3, 20, 20)
    picture[:, 5:15, 5:15] = 0.2
    still = moved({"upper": picture}, 0.0, step_generator(0, 0, 0))["upper"]
    torch.testing.assert_close(still, picture, atol=1e-5, rtol=0)
    places = []
    for step in range(30):
        found = moved({"upper": picture}, 0.1, step_generator(0, step, 0))["upper"]
        assert found.min() > 0.19 and found[:, 0].min() > 0.99
        dark = (found[0] < 0.6).nonzero().float()
        places.append(dark.mean(dim=0))
        assert 7 <= len(dark) ** 0.5 <= 12
    assert (torch.stack(places) - 9.5).abs().amax() < 3.0 and torch.stack(places).std(dim=0).min() > 0.5


def test_what_cannot_be_read_ends_a_training(tokens: Path, latents: Path, lca_run: Path, tmp_path: Path) -> None:
    config = small_training(tokens, latents, lca_run, tmp_path, 1)
    config.pipeline.datamanager.data, config.pipeline.datamanager.datasets = None, (tokens, tmp_path)
    with pytest.raises(UserError, match="holds no tokens"):
        config.setup(local_rank=0, world_size=1).setup()
