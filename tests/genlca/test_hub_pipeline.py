"""A pipeline to a Hub and back."""

import pytest
import torch
from hub_fixtures import hub as hub
from hub_server import Hub
from huggingface_hub import ModelCard

from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from lca_shared.errors import UserError


def test_a_pipeline_comes_back_and_makes_the_same_person(hub: Hub, pipeline: GenLCAPipeline) -> None:
    pipeline.push_to_hub("ann/people", licence="apache-2.0", trained_on="Drawn people.")
    files = hub.files("ann/people")
    assert not [name for name in files if not name.endswith((".safetensors", ".json", "README.md"))]
    card = ModelCard.load("ann/people")
    card.validate()
    assert (
        card.data.license == "apache-2.0"
        and "Drawn people." in card.text
        and 'from_pretrained("ann/people")' in card.text
    )
    back = GenLCAPipeline.from_pretrained("ann/people")
    back.set_progress_bar_config(disable=True)

    def person(made: GenLCAPipeline) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(3)
        return made("a red top", num_inference_steps=2, generator=generator).avatars[0].state_dict()

    theirs = person(back)
    for name, value in person(pipeline).items():
        assert torch.equal(theirs[name], value), name
    pipeline.push_to_hub("ann/people", licence="mit")  # again: the new card in place of the old one
    assert ModelCard.load("ann/people").data.license == "mit"
    assert isinstance(load_pipeline("ann/people"), GenLCAPipeline)
    with pytest.raises(UserError, match="no repository ann/nobody"):
        GenLCAPipeline.from_pretrained("ann/nobody")
    with pytest.raises(UserError, match="write there"):
        pipeline.push_to_hub("bob/people")
