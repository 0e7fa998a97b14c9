"""Reading behind a cached prefix must equal reading everything from the start, for every layout people tune."""

import numpy as np
import pytest
import torch

from manyshot.inference import ROOT, Chain, Prefix, why_not_branched
from tests import tiny

BRANCHED = ["llama", "mistral", "gemma2", "gemma3", "qwen3", "phi3", "gpt_neox", "gpt2", "olmo2"]
SDPA_REFUSED = {"gemma2"}


def read_tree(model, *, cached: bool, order: tuple[int, ...] = (0, 1, 2)) -> torch.Tensor:
    """Prefix in two steps, three queries in one row, then two rounds of deeper branches; logits by query."""
    rng = np.random.default_rng(3)
    vocabulary = model.config.get_text_config().vocab_size
    pieces = [rng.integers(2, vocabulary, n) for n in (30, 31)]
    queries = [rng.integers(2, vocabulary, n) for n in (12, 50, 3)]
    deeper = [rng.integers(2, vocabulary, n) for n in (1, 4, 2)]
    prefix = Prefix(model, cached=cached)
    for piece in pieces:
        prefix.extend(piece)
    with prefix.branch() as row:
        ends, first = row.append([Chain(ROOT, queries[q]) for q in order])
        ends, second = row.append([Chain(end, deeper[q]) for end, q in zip(ends, order, strict=True)])
        _, third = row.append([Chain(end, np.array([7])) for end in ends])
    back = np.argsort(order)
    return torch.stack([first[back], second[back], third[back]])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("architecture", BRANCHED)
def test_branched_logits_equal_fresh_ones(architecture, attention):
    if attention == "sdpa" and architecture in SDPA_REFUSED:
        attention = None
    model = tiny.model(architecture, attention)
    assert why_not_branched(model) is None
    torch.testing.assert_close(read_tree(model, cached=True), read_tree(model, cached=False), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["bloom", "gpt_neo", "mamba2"])
def test_a_model_whose_state_cannot_be_branched_is_found_out(architecture):
    reason = why_not_branched(tiny.model(architecture))
    assert reason is not None
    assert "\n" not in reason


def test_a_model_that_fails_without_a_word_is_found_out_too(monkeypatch):
    def forward(*args, **kwargs):
        raise NotImplementedError

    model = tiny.model("llama")
    monkeypatch.setattr(model, "forward", forward)
    assert why_not_branched(model) == "its cache cannot be branched (NotImplementedError)"


def test_order_of_queries_in_a_row_changes_nothing():
    model = tiny.model("mistral")
    torch.testing.assert_close(
        read_tree(model, cached=True), read_tree(model, cached=True, order=(2, 0, 1)), atol=1e-5, rtol=1e-4
    )


def test_the_prefix_is_as_it_was_after_a_row_and_can_grow():
    model = tiny.model("gemma3")
    rng = np.random.default_rng(0)
    a, b, query = (rng.integers(2, 300, n) for n in (20, 25, 9))
    used, fresh = Prefix(model), Prefix(model)
    used.extend(a)
    with used.branch() as row:
        row.append([Chain(ROOT, query)])
    used.extend(b)
    fresh.extend(np.concatenate([a, b]))
    logits = []
    for prefix in (used, fresh):
        with prefix.branch() as row:
            logits.append(row.append([Chain(ROOT, query)], every=True)[1])
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=1e-4)
    assert used.tokens_computed == 20 + 9 + 25 + 9


def test_an_empty_prefix_branches_too():
    model = tiny.model("qwen3")
    logits = []
    for cached in (True, False):
        prefix = Prefix(model, cached=cached)
        with prefix.branch() as row:
            logits.append(row.append([Chain(ROOT, np.array([5, 6, 7])), Chain(ROOT, np.array([9]))])[1])
    torch.testing.assert_close(logits[0], logits[1], atol=1e-5, rtol=1e-4)
