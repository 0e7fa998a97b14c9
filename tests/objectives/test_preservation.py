"""Preservation terms on tensors: against torch's own distributions, finite differences, and sums by hand."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.distributions import Categorical
from torch.distributions import kl_divergence as torch_kl

from manyshot.objectives import (
    KlInputOptions,
    ObjectiveOptions,
    PreservationOptions,
    TermOptions,
    answer_positions,
    input_positions,
    keep_mask,
    kl_divergence,
    scheduled_weight,
    squared_distance,
    weigh_row,
    zero_and_few_shot,
)

# header of 2, then three examples of prompt 3 and answer 2
BOUNDS = np.array([[2, 5, 7], [7, 10, 12], [12, 15, 17]])
IDS = np.arange(100, 117)


def logits(n=6, vocabulary=11, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, vocabulary, generator=generator) * 2


def test_kl_is_torchs_own():
    p, q = logits(), logits(seed=1)
    expected = torch_kl(Categorical(logits=p.double()), Categorical(logits=q.double()))
    torch.testing.assert_close(kl_divergence(p, q).double(), expected, rtol=1e-5, atol=1e-6)


def test_kl_of_a_model_with_itself_is_exactly_zero_and_so_is_its_gradient():
    p = logits().requires_grad_()
    kl = kl_divergence(p, p.detach())
    assert torch.equal(kl, torch.zeros(6))
    kl.sum().backward()
    assert p.grad is not None
    assert p.grad.abs().max() < 1e-6


@pytest.mark.parametrize("tuned_first", [True, False])
def test_the_gradient_is_that_of_finite_differences(tuned_first):
    tuned, start = logits(3, 5).requires_grad_(), logits(3, 5, seed=1)

    def total(x):
        return (kl_divergence(x, start) if tuned_first else kl_divergence(start, x)).sum()

    total(tuned).backward()
    numeric, step = torch.zeros_like(start), 1e-2
    for i in range(start.numel()):
        shift = torch.zeros(start.numel())
        shift[i] = step
        shift = shift.view_as(start)
        numeric.view(-1)[i] = (total(tuned.detach() + shift) - total(tuned.detach() - shift)) / (2 * step)
    torch.testing.assert_close(tuned.grad, numeric, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("chunk", [1, 4, 6])
def test_chunks_change_neither_value_nor_gradient(chunk):
    whole, parts, q = logits().requires_grad_(), logits().requires_grad_(), logits(seed=1)
    a, b = kl_divergence(whole, q), kl_divergence(parts, q, chunk_positions=chunk)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-7)
    a.square().sum().backward()
    b.square().sum().backward()
    torch.testing.assert_close(whole.grad, parts.grad, rtol=0, atol=1e-6)


def test_half_precision_logits_are_compared_in_float32():
    p, q = logits().bfloat16(), logits(seed=1).bfloat16()
    assert kl_divergence(p, q).dtype == torch.float32
    torch.testing.assert_close(kl_divergence(p, q), kl_divergence(p.float(), q.float()), rtol=0, atol=0)


def test_the_distance_is_the_sum_by_hand():
    pairs = [(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 4.0])), (torch.tensor([[3.0]]), torch.tensor([[0.5]]))]
    assert squared_distance(pairs).item() == 1 + 4 + 6.25


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [2, 2, 2, 2, 2]), ("falling", [2, 1.5, 1, 0.5, 0]), ("rising", [0, 0.5, 1, 1.5, 2])],
)
def test_a_schedule_is_linear_and_reaches_its_end_at_the_last_step(schedule, expected):
    term = TermOptions(weight=2, schedule=schedule)
    assert [scheduled_weight(term, t, 5) for t in range(5)] == expected


def test_the_papers_annealing_is_the_default_of_few_shot_aux():
    term = PreservationOptions.model_validate({"few_shot_aux": True}).few_shot_aux
    assert term is not None
    steps = 7
    weights = [scheduled_weight(term, t, steps) for t in range(steps)]
    assert weights == pytest.approx([(steps - 1 - t) / (steps - 1) for t in range(steps)])
    assert weights[-1] == 0


def test_answers_without_and_with_shots_are_averaged_apart():
    nll, has_shots = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([False, True, True, False])
    assert zero_and_few_shot(nll, has_shots, (2.0, 4.0), 0.5).item() == (1 + 8) / 2 + 0.5 * (2 + 4) / 4
    assert zero_and_few_shot(nll[:1], has_shots[:1], (1.0, 0.0), 0.5).item() == 1


@pytest.mark.parametrize("scope", ["all_answers", "last_answer", "last_example", "all_tokens"])
@pytest.mark.parametrize("positions", ["as_targets", "all"])
def test_input_positions_predict_no_answer_that_is_trained(scope, positions):
    weighed = weigh_row(BOUNDS, len(IDS), ObjectiveOptions(scope=scope))
    n_targets = int((weighed.weights > 0).sum())
    options = KlInputOptions(weight=1, positions=positions)
    chosen = input_positions(IDS, BOUNDS, n_targets, scope, options)
    answers = BOUNDS[-1:] if scope.startswith("last") else BOUNDS
    trained = {t for _, start, end in answers for t in range(start, end)}
    predicted = set((np.flatnonzero(chosen) + 1).tolist())
    inputs = set(range(1, len(IDS))) - trained
    if positions == "all":
        assert predicted == inputs
    else:
        assert predicted <= inputs
        assert len(predicted) == min(n_targets, len(inputs))


def test_the_choice_of_input_positions_follows_from_the_rows_tokens():
    options = KlInputOptions(weight=1)

    def choose(ids):
        return input_positions(ids, BOUNDS, 4, "last_answer", options).tolist()

    assert choose(IDS) == choose(IDS.astype(np.int32))
    assert len({tuple(choose(IDS + n)) for n in range(20)}) > 15


def test_plain_text_has_no_inputs_apart_from_its_targets():
    bounds = np.array([[0, 1, 17]])
    assert not input_positions(IDS, bounds, 16, "all_answers", KlInputOptions(weight=1, positions="all")).any()


def test_answer_positions_are_where_the_head_predicts_every_answer():
    weights = torch.from_numpy(weigh_row(BOUNDS, len(IDS), ObjectiveOptions()).weights)
    assert torch.equal(torch.from_numpy(answer_positions(BOUNDS, len(IDS))), keep_mask(weights[None])[0])


def test_a_number_stands_for_a_constant_weight():
    short = PreservationOptions.model_validate({"kl_input": 0.3, "l2_sp": 2})
    long = PreservationOptions.model_validate(
        {"kl_input": {"weight": 0.3, "schedule": "constant"}, "l2_sp": {"weight": 2.0}}
    )
    assert short == long
    assert PreservationOptions().needs_reference is False
    assert short.needs_reference is True


@pytest.mark.parametrize(
    "value", [{"kl_input": 0}, {"kl_icl": -1}, {"l2_sp": {"weight": 1, "to": 2}}, {"kl": 1}, {"l2_sp": {}}]
)
def test_weights_that_mean_nothing_and_unknown_keys_are_refused(value):
    with pytest.raises(ValidationError):
        PreservationOptions.model_validate(value)
