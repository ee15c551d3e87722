"""Captions by vision-language models: one that tells what it sees, one that is asked."""

from pathlib import Path

import pytest
import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
)

from genlca_method.cli import main
from genlca_method.tokens.caption_model import QUESTION, ModelCaptioner
from genlca_method.tokens.captions import build_captioner
from genlca_method.tokens.shards import TokenShards
from lca_dataparsers.dataset.schema import SubjectInfo
from lca_shared.errors import MissingWeightsError

PERSON = SubjectInfo("a", (), "train", "a camera", "unknown", {})
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "person", "with", "red", "blue", "top", "and", "shoes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP of some hundred weights, untrained, with its processor."""
    torch.manual_seed(1)
    place = tmp_path_factory.mktemp("blip")
    (place / "vocab.txt").write_text("\n".join(WORDS))
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    text = {**sizes, **ends, "vocab_size": len(WORDS), "encoder_hidden_size": 16}
    config = BlipConfig(text_config=text, vision_config={**sizes, "image_size": 32, "patch_size": 16})
    model = BlipForConditionalGeneration(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(8.0)  # so that pictures matter to an untrained model
    model.save_pretrained(place / "model")
    tokenizer = BertTokenizer(str(place / "vocab.txt"))
    BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(place / "model")
    return place / "model"


def test_a_model_tells_what_it_sees(folder: Path) -> None:
    captioner = ModelCaptioner(str(folder))
    picture = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    found = captioner(PERSON, {"whole": picture})
    assert found.by == "model model" and found.text and set(found.text.split()) <= set(WORDS)
    assert captioner(PERSON, {"whole": picture}) == found
    assert captioner(PERSON, {"face": picture}).text == ""
    with pytest.raises(MissingWeightsError, match="nowhere"):
        build_captioner("model", str(folder / "nowhere"))
    with pytest.raises(MissingWeightsError, match="--caption-model"):
        build_captioner("model")


def test_a_model_that_converses_is_asked_and_only_its_answer_is_kept(folder: Path) -> None:
    captioner = ModelCaptioner(str(folder))
    plain, said = captioner.processor, []

    class Conversing:
        """Answers with words after the words of the question."""

        chat_template = "yes"

        def apply_chat_template(self, asked: list, **options: object) -> str:
            said.append(asked[0]["content"][1]["text"])
            return "a person with"

        def __call__(self, text: list[str], **options: object) -> object:
            return plain(text=text, **options)

        def batch_decode(self, answer: torch.Tensor, **options: object) -> list[str]:
            return plain.batch_decode(answer, **options)

    class Echo(torch.nn.Module):
        device = torch.device("cpu")

        def generate(self, input_ids: torch.Tensor, pixel_values: torch.Tensor, **options: object) -> torch.Tensor:
            assert pixel_values.shape == (1, 3, 32, 32) and float(pixel_values.max()) < 5  # 0..1, then normalised
            return torch.cat([input_ids, torch.tensor([[8, 10, 3]])], dim=1)

    captioner.processor, captioner.model = Conversing(), Echo()
    assert captioner(PERSON, {"whole": torch.rand(3, 40, 40)}).text == "red top" and said == [QUESTION]


def test_tokenize_asks_the_model(
    folder: Path, people: Path, lca_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genlca_method.tokens.caption_model._LONGEST", 3)
    where = ["--checkpoint", str(lca_run), "--data", str(people), "--output-dir", str(tmp_path / "tokens")]
    options = ["--references", "1", "--part-size", "32", "--captions", "model", "--caption-model", str(folder)]
    assert main(["tokenize", *where, *options]) == 0
    shards = TokenShards(tmp_path / "tokens")
    infos = [shards.sample_info(index) for index in range(len(shards))]
    assert any(info.caption and info.caption_by == "model model" for info in infos)
    assert shards.info.settings["caption_model"] == str(folder)
