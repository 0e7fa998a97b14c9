"""Bits per byte against log-probabilities added up by hand."""

import math

import pytest
import torch

from manyshot.evaluation import bits_per_byte
from manyshot.tasks import Corpus
from tests import tiny

TEXT = "apple river stone cloud tiger, lemon piano table. green seven winter garden " * 3


def by_hand(model, texts, n=10**6):
    """-log2 p over bytes, each text behind the end token, in windows of n tokens that share one."""
    nats = 0.0
    for text in texts:
        ids = [tiny.tokenizer().eos_token_id, *tiny.tokenizer()(text).input_ids]
        for start in range(0, len(ids) - 1, n - 1):
            window = ids[start : start + n]
            with torch.no_grad():
                logprobs = model(torch.tensor([window])).logits[0].double().log_softmax(-1)
            nats -= sum(logprobs[t - 1, window[t]].item() for t in range(1, len(window)))
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def test_bits_per_byte_is_the_sum_of_log_probabilities_over_the_bytes():
    model = tiny.model("llama")
    ours = bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT]))
    assert ours == pytest.approx(by_hand(model, [TEXT]), rel=1e-5)


def test_the_window_does_not_matter_when_the_text_fits():
    model = tiny.model("llama")
    values = {bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT]), window_tokens=n) for n in (500, 800, 1024)}
    assert len(values) == 1


def test_a_longer_text_is_read_in_windows():
    model = tiny.model("llama")
    ours = bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT]), window_tokens=20)
    assert ours == pytest.approx(by_hand(model, [TEXT], 20), rel=1e-5)


def test_a_character_that_a_window_cuts_in_two_has_no_more_bytes_than_before():
    """Each of these letters is two tokens of a byte; windows of three tokens cut every other one."""
    text = "éèàùôîâêç" * 4
    model, ids = tiny.model("llama"), tiny.tokenizer()(text).input_ids
    assert len(ids) == len(text.encode())
    ours = bits_per_byte(model, tiny.tokenizer(), Corpus("c", [text]), window_tokens=3)
    assert ours == pytest.approx(by_hand(model, [text], 3), rel=1e-5)


def test_documents_do_not_see_each_other():
    model = tiny.model("llama")
    first, second = TEXT[:90], TEXT[100:]
    both = bits_per_byte(model, tiny.tokenizer(), Corpus("c", [first, second]))
    assert both == pytest.approx(by_hand(model, [first, second]), rel=1e-5)


def test_no_more_than_the_limit_is_read():
    model = tiny.model("llama")
    limited = bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT, TEXT[::-1]]), max_bytes=len(TEXT))
    assert limited == bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT]))


def test_a_model_that_knows_nothing_needs_the_entropy_of_a_uniform_choice():
    model = tiny.model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    ids = tiny.tokenizer()(TEXT).input_ids
    expected = len(ids) * math.log2(len(tiny.tokenizer())) / len(TEXT.encode())
    assert bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT])) == pytest.approx(expected, rel=1e-5)


def test_a_model_of_a_short_context_is_not_asked_to_read_beyond_it():
    """GPT-2 has no positions beyond its context at all."""
    from transformers import AutoConfig, AutoModelForCausalLM

    ends = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 1}
    config = AutoConfig.for_model(
        "gpt2", vocab_size=len(tiny.tokenizer()), n_embd=16, n_layer=1, n_head=2, n_positions=32, **ends
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    assert len(tiny.tokenizer()(TEXT).input_ids) > 32
    assert bits_per_byte(model, tiny.tokenizer(), Corpus("c", [TEXT])) > 0
