"""Texts and pictures of parts as tokens."""

from pathlib import Path

import pytest
import torch

from genlca_method.conditioning.encoders import Conditioner, tiny_conditioning
from genlca_method.conditioning.images import PartEncoderConfig, build_part_encoder
from genlca_method.conditioning.text import TextEncoderConfig, build_text_encoder
from lca_shared.errors import MissingWeightsError, UserError


def test_words_are_vectors_of_their_own() -> None:
    encoder = build_text_encoder(TextEncoderConfig("words", tokens=5, channels=64))
    features, seen = encoder(["A red top", "", "red top, A!", "one two three four five six"])
    assert seen.sum(1).tolist() == [3, 0, 3, 5] and features.shape == (4, 5, 64)
    again, _ = build_text_encoder(TextEncoderConfig("words", tokens=5, channels=64))(["a RED top"])
    assert torch.equal(again[0], features[0, :3])
    own = features[..., :32]
    assert not torch.allclose(own[0, 1], own[2, 0])  # the same word elsewhere
    near = torch.cosine_similarity(own[0, 1], own[2, 0], dim=0)
    assert near > 0.5 > torch.cosine_similarity(own[0, 1], own[0, 2], dim=0).abs()


def test_words_know_what_comes_after_them() -> None:
    encoder = build_text_encoder(TextEncoderConfig("words", tokens=8, channels=64))
    features, _ = encoder(["red top", "red shoes", "top red"])
    assert torch.equal(features[0, 0, :32], features[1, 0, :32])
    assert not torch.allclose(features[0, 0, 32:], features[1, 0, 32:])
    assert torch.equal(features[0, 1, 32:], features[1, 1, 32:])  # nothing comes after the last word


def test_a_pretrained_encoder_from_a_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "a", "red", "blue", "top"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=16
    ).save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes = BertConfig(vocab_size=6, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(sizes).save_pretrained(tmp_path)
    encoder = build_text_encoder(TextEncoderConfig("transformers", str(tmp_path)))
    features, seen = encoder(["a red top", "a top", ""])
    assert encoder.channels == 16 and seen.sum(1).tolist() == [3, 2, 0]
    alone, _ = encoder(["a top"])
    torch.testing.assert_close(features[1, :2], alone[0, :2])


def test_missing_encoders_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="source"):
        build_text_encoder(TextEncoderConfig("transformers"))
    with pytest.raises(MissingWeightsError, match="nowhere"):
        build_text_encoder(TextEncoderConfig("transformers", str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="words"):
        build_text_encoder(TextEncoderConfig("poems"))
    with pytest.raises(UserError, match="cannot be cut"):
        build_part_encoder(PartEncoderConfig("pixels", size=30, patch=16))
    with pytest.raises(UserError, match="frozen"):
        build_part_encoder(PartEncoderConfig("patch"))


def test_patches_hold_their_own_pixels() -> None:
    encoder = build_part_encoder(PartEncoderConfig("pixels", size=16, patch=8))
    picture = torch.zeros(1, 3, 16, 16)
    picture[..., :8, 8:] = 1.0
    features = encoder(picture)
    assert features.shape == (1, 4, 3 * 64 + 4)
    assert features[0, 1, :192].min() == 1.0 and features[0, [0, 2, 3], :192].max() == -1.0
    larger = encoder(torch.nn.functional.interpolate(picture, scale_factor=4))
    assert larger.shape == features.shape


def test_people_with_and_without_pictures() -> None:
    conditioner = Conditioner.build(tiny_conditioning())
    picture = torch.rand(3, 40, 40)
    given = conditioner(["a tall person", ""], [{"face": picture}, {"shoes": picture, "whole": picture}])
    each = conditioner.image.patches
    assert given.text_seen.sum(1).tolist() == [3, 0] and given.image_seen.sum(1).tolist() == [each, 2 * each]
    assert given.image_modality[0][given.image_seen[0]].unique().tolist() == [1]
    assert given.image_modality[1][given.image_seen[1]].unique().tolist() == [5, 6]
    with pytest.raises(UserError, match="hat"):
        conditioner(["a"], [{"hat": picture}])


def test_conditions_close_up_without_what_nobody_has() -> None:
    conditioner = Conditioner.build(tiny_conditioning())
    pictures = [{"upper": torch.rand(3, 32, 32)}, {"shoes": torch.rand(3, 32, 32)}, {}]
    given = conditioner(["a red top", "", "a"], pictures)
    closed = given.closed_up()
    assert given.image.shape[1] == 8 and closed.image.shape[1] == 4 and closed.text.shape[1] == 3
    assert torch.equal(closed.image[1], given.image[1, 4:]) and closed.image_seen.sum(1).tolist() == [4, 4, 0]
    assert closed.image_modality[1].tolist() == given.image_modality[1, 4:].tolist()
    nothing = given.nothing().closed_up()
    assert nothing.text.shape[1] == nothing.image.shape[1] == 0
