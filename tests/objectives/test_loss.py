"""The loss of target tokens, against plain cross-entropy, in chunks and whole."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from manyshot.objectives import fill_mask, keep_mask, loss, target_nll


def made(n, vocabulary, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(n, vocabulary, generator=generator) * 4).to(dtype).requires_grad_()
    return logits, torch.randint(vocabulary, (n,), generator=generator), torch.rand(n, generator=generator)


def plain(logits, targets):
    """-log p of each target: its logit taken from the log of the sum of all."""
    return torch.logsumexp(logits.double(), dim=-1) - logits.double()[torch.arange(len(targets)), targets]


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(2, 30), st.integers(1, 25), st.integers(0, 9))
def test_chunks_give_the_value_and_gradient_of_plain_cross_entropy(n, vocabulary, chunk, seed):
    logits, targets, weights = made(n, vocabulary, seed)
    values = target_nll(logits, targets, chunk)
    torch.testing.assert_close(values.double(), plain(logits, targets), rtol=1e-5, atol=1e-6)
    (got,) = torch.autograd.grad((weights * values).sum(), logits)
    (wanted,) = torch.autograd.grad((weights * F.cross_entropy(logits, targets, reduction="none")).sum(), logits)
    torch.testing.assert_close(got, wanted)


def test_large_heads_are_chunked_of_themselves_and_agree(monkeypatch):
    logits, targets, _ = made(40, 16)
    whole = target_nll(logits, targets)
    calls = []
    monkeypatch.setattr(loss, "CHUNK_ABOVE_LOGITS", 100)
    monkeypatch.setattr(loss, "checkpoint", lambda f, a, b, **_: calls.append(len(b)) or f(a, b))
    torch.testing.assert_close(target_nll(logits, targets), whole)
    assert sum(calls) == 40
    assert max(calls) * 16 <= 100


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chunk", [None, 3])
def test_half_precision_logits_give_float32_losses(dtype, chunk):
    logits, targets, _ = made(8, 50, dtype=dtype)
    values = target_nll(logits, targets, chunk)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values.double(), plain(logits, targets), rtol=1e-5, atol=1e-5)


def test_no_targets_have_no_loss():
    logits, targets, _ = made(0, 5)
    assert target_nll(logits, targets).shape == (0,)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=6, max_size=6), min_size=1, max_size=4))
def test_the_head_is_kept_exactly_where_the_next_token_is_a_target(rows):
    mask = keep_mask(torch.tensor(rows))
    assert mask.dtype == torch.bool
    assert mask.tolist() == [[t + 1 < 6 and row[t + 1] > 0 for t in range(6)] for row in rows]


def test_kept_logits_and_targets_pair_up_in_order():
    # logits[mask] and ids[weights > 0] are both read row by row; the pairing is what the loss relies on
    weights = torch.tensor([[0, 0, 1, 1.0], [0, 0.5, 0, 1]])
    positions = torch.arange(8).reshape(2, 4)
    assert (positions[keep_mask(weights)] + 1).tolist() == positions[weights > 0].tolist()


def test_kept_positions_are_filled_up_to_a_multiple_with_the_first_that_are_no_targets():
    kept = keep_mask(torch.tensor([[0, 0, 1, 1.0, 0], [0, 0.5, 0, 1, 0]]))
    assert fill_mask(kept, 2).equal(kept)
    assert fill_mask(kept, 3).tolist() == [[True, True, True, True, False], [True, False, True, False, False]]
    # the last position predicts nothing: eight is all there are
    assert int(fill_mask(kept, 16).sum()) == 8
