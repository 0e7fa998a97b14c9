"""A new model and its tokenizer: the same every time, and no text is lost."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import ModelError
from manyshot.models import ScratchOptions, make_model, train_tokenizer

SMALL = ScratchOptions(
    vocabulary=320, config={"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
)
TEXTS = ["a river runs by the garden", "seven tigers walk by the river"] * 3
TOKENIZER = train_tokenizer(TEXTS, 320)


def state(made):
    return made.model.state_dict()


def test_the_same_seed_gives_the_same_weights():
    first, second = (make_model(SMALL, TEXTS, seed=4) for _ in range(2))
    assert all(torch.equal(first.model.state_dict()[k], v) for k, v in state(second).items())
    assert first.tokenizer.get_vocab() == second.tokenizer.get_vocab()


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before():
    first = make_model(SMALL, TEXTS, seed=4)
    torch.rand(17)
    second = make_model(SMALL, TEXTS, seed=4)
    assert all(torch.equal(state(first)[k], v) for k, v in state(second).items())


def test_another_seed_gives_other_weights():
    first, second = (make_model(SMALL, TEXTS, seed) for seed in (4, 5))
    assert not torch.equal(first.model.get_input_embeddings().weight, second.model.get_input_embeddings().weight)


def test_making_a_model_leaves_the_global_generator_as_it_was():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    make_model(SMALL, TEXTS, seed=4)
    assert torch.equal(torch.rand(3), expected)


@given(st.text(max_size=60))
@settings(deadline=None, max_examples=200)
def test_any_text_survives_the_tokenizer(text):
    assert TOKENIZER.decode(TOKENIZER(text).input_ids) == text


@pytest.mark.parametrize("text", ["  two  spaces ", "\n\n\t", " .", "I 'm , n't", "é東🙂\x00", "Input: a\nOutput: b\n"])
def test_spaces_and_rare_characters_survive_the_tokenizer(text):
    assert TOKENIZER.decode(TOKENIZER(text).input_ids) == text


def test_the_tokenizer_adds_nothing_by_itself():
    assert TOKENIZER.eos_token_id not in TOKENIZER("a river").input_ids
    assert TOKENIZER("").input_ids == []


def test_model_and_tokenizer_agree_on_size_and_ends():
    made = make_model(SMALL, TEXTS, seed=0)
    assert made.model.config.vocab_size == len(made.tokenizer) <= 320
    assert made.model.config.eos_token_id == made.tokenizer.eos_token_id
    assert made.model.get_input_embeddings().weight.shape[0] == len(made.tokenizer)


def test_a_saved_model_of_ones_own_loads_again(tmp_path):
    from manyshot.models import load_model

    made = make_model(SMALL, TEXTS, seed=0)
    made.model.save_pretrained(tmp_path)
    made.tokenizer.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert all(torch.equal(state(loaded)[k], v) for k, v in state(made).items())
    text = "a river .  \n é"
    assert loaded.tokenizer.decode(loaded.tokenizer(text).input_ids) == text


def test_reading_stops_at_the_limit_of_bytes_not_of_characters():
    """The limit falls behind the accents in characters and before the digits in bytes; merged pieces show what was read."""
    texts = ["éè" * 40 + "123" * 30]
    assert len(texts[0][:120]) == 120 < len(texts[0][:120].encode())
    limited, unlimited = train_tokenizer(texts, 400, max_bytes=160), train_tokenizer(texts, 400)
    assert len(limited("éèéè").input_ids) < 8
    assert len(unlimited("123123").input_ids) < 6
    assert len(limited("123123").input_ids) == 6


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gpt_neox"])
def test_known_architectures_are_made(architecture):
    made = make_model(SMALL.model_copy(update={"architecture": architecture}), TEXTS, seed=0)
    assert made.model.config.model_type == architecture
    assert made.model(torch.tensor([[3, 4, 5]])).logits.shape == (1, 3, len(made.tokenizer))


@pytest.mark.parametrize("architecture", ["lama", "vit", "t5"])
def test_an_architecture_that_is_no_causal_language_model_is_named(architecture):
    with pytest.raises(ModelError, match=f'"{architecture}"') as raised:
        make_model(SMALL.model_copy(update={"architecture": architecture}), TEXTS, seed=0)
    assert "\n" not in str(raised.value)


def test_config_values_that_do_not_go_together_are_a_model_error():
    wrong = SMALL.model_copy(update={"architecture": "llama", "config": {"hidden_size": 30, "num_attention_heads": 4}})
    with pytest.raises(ModelError):
        make_model(wrong, TEXTS, seed=0)
