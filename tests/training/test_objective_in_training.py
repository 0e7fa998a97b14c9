"""The number that the trainer minimises, against the paper's formula written out with full logits."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from manyshot.episodes import answer_labels, build_episode
from manyshot.objectives import ObjectiveOptions
from tests import tiny
from tests.training.small import batch_loss, gradients, rows

SCOPES = ["all_answers", "last_answer", "last_example", "all_tokens"]
AVERAGINGS = ["token", "answer", "sequence"]


def some_rows(n=3, **options):
    data = rows(n, budget_tokens=90, **options)
    return [data[i] for i in range(n)]


def row_of(examples):
    """A row of chosen examples of the word task, as EpisodeDataset gives it."""
    data = rows(1)
    episode = build_episode(data.tasks[0], examples)
    return {
        "input_ids": episode.ids.astype(np.int64),
        "labels": answer_labels(episode.ids, episode.bounds),
        "bounds": episode.bounds,
        "is_text": False,
    }


def trained_spans(bounds, scope):
    """(start, end) of each trained span, from the table of scopes in the paper's words."""
    if scope == "all_answers":
        return [(start, end) for _, start, end in bounds]
    if scope == "last_answer":
        return [(bounds[-1][1], bounds[-1][2])]
    if scope == "last_example":
        return [(bounds[-1][0], bounds[-1][2])]
    # each example with what stands before it, the header with the first
    starts = [0, *[start for start, _, _ in bounds[1:]]]
    return [(max(1, s), end) for s, (_, _, end) in zip(starts, bounds, strict=True)]


def reference_loss(model, batch_rows, scope, averaging, a=lambda shot, n: 1.0):
    """Full logits row by row, one cross-entropy a token, then the formula."""
    numerator, denominator = 0.0, 0.0
    for row in batch_rows:
        ids = torch.from_numpy(row["input_ids"])
        with torch.no_grad():
            logits = model(ids[None]).logits[0].double()
        nll = F.cross_entropy(logits[:-1], ids[1:], reduction="none")  # nll[t - 1] is of token t
        spans = trained_spans(row["bounds"].tolist(), scope)
        first_shot = len(row["bounds"]) - len(spans)
        for shot, (start, end) in enumerate(spans, start=first_shot):
            weight, n = a(shot, len(row["bounds"])), end - start
            loss = weight * nll[start - 1 : end - 1].sum().item()
            numerator += loss / n if averaging == "answer" else loss
            denominator += {"token": weight * n, "answer": weight, "sequence": 0.0}[averaging]
        denominator += averaging == "sequence"
    return numerator / denominator


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gemma2", "qwen3"])
def test_every_answers_loss_is_the_last_answer_loss_of_the_prompt_that_ends_there(architecture, tmp_path):
    """Property 1 of the objective: one row of n examples trains the 0-, 1-, ... (n-1)-shot conditionals."""
    model, n = tiny.model(architecture), 6
    all_answers = ObjectiveOptions(scope="all_answers", averaging="sequence")
    last_answer = ObjectiveOptions(scope="last_answer", averaging="sequence")
    sums = [0.0] + [batch_loss(model, [row_of(range(i + 1))], all_answers, tmp_path).item() for i in range(n)]
    for i in range(n):
        alone = batch_loss(model, [row_of(range(i + 1))], last_answer, tmp_path).item()
        assert sums[i + 1] - sums[i] == pytest.approx(alone, abs=2e-5, rel=1e-5)


def test_an_answers_share_of_a_long_row_is_the_loss_of_its_own_prompt(tmp_path):
    """The same property read off one row: from_shot(i) minus from_shot(i + 1) leaves answer i of the n-shot row."""
    model, n = tiny.model("llama"), 5

    def from_shot(k):
        objective = ObjectiveOptions(averaging="sequence", shot_weights=f"from_shot({k})")
        return batch_loss(model, [row_of(range(n))], objective, tmp_path).item()

    for i in range(n - 1):
        last = ObjectiveOptions(scope="last_answer", averaging="sequence")
        alone = batch_loss(model, [row_of(range(i + 1))], last, tmp_path).item()
        assert from_shot(i) - from_shot(i + 1) == pytest.approx(alone, abs=2e-5, rel=1e-5)


@pytest.mark.parametrize("averaging", AVERAGINGS)
@pytest.mark.parametrize("scope", SCOPES)
def test_the_loss_is_the_formula_over_full_logits(scope, averaging, tmp_path):
    model, batch = tiny.model("gemma2"), some_rows()
    ours = batch_loss(model, batch, ObjectiveOptions(scope=scope, averaging=averaging), tmp_path)
    assert ours.item() == pytest.approx(reference_loss(model, batch, scope, averaging), rel=1e-5)


@pytest.mark.parametrize("averaging", AVERAGINGS)
@pytest.mark.parametrize(
    ("name", "a"), [("ramp", lambda shot, n: (shot + 1) / n), ("from_shot(1)", lambda shot, n: float(shot >= 1))]
)
def test_shot_weights_enter_numerator_and_denominator(name, a, averaging, tmp_path):
    model, batch = tiny.model("llama"), some_rows()
    ours = batch_loss(model, batch, ObjectiveOptions(averaging=averaging, shot_weights=name), tmp_path)
    assert ours.item() == pytest.approx(reference_loss(model, batch, "all_answers", averaging, a), rel=1e-5)


@pytest.mark.parametrize("averaging", AVERAGINGS)
def test_padding_changes_nothing(averaging, tmp_path):
    """Two rows of different length in one batch give the weighted mean of each alone."""
    model, objective = tiny.model("llama"), ObjectiveOptions(averaging=averaging)
    short, long = row_of([0, 1]), row_of(range(2, 9))
    assert len(short["input_ids"]) < len(long["input_ids"])

    def denominator(row):
        answers = [end - start for _, start, end in row["bounds"]]
        return {"token": sum(answers), "answer": len(answers), "sequence": 1}[averaging]

    alone = [batch_loss(model, [row], objective, tmp_path).item() * denominator(row) for row in (short, long)]
    together = batch_loss(model, [short, long], objective, tmp_path).item()
    assert together == pytest.approx(sum(alone) / (denominator(short) + denominator(long)), rel=1e-5)


@pytest.mark.parametrize("averaging", AVERAGINGS)
def test_splitting_a_batch_leaves_the_gradient_unchanged(averaging, tmp_path):
    """One batch of 4 rows of different lengths, 2 x 2 accumulated, 4 x 1 accumulated: the same step."""
    model, objective, batch = tiny.model("llama"), ObjectiveOptions(averaging=averaging), some_rows(4)
    assert len({len(row["bounds"]) for row in batch}) > 1
    whole = gradients(model, batch, objective, tmp_path, per_device_train_batch_size=4)
    for size in (2, 1):
        split = gradients(
            model,
            batch,
            objective,
            tmp_path,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=4 // size,
        )
        for name in whole:
            torch.testing.assert_close(split[name], whole[name], atol=1e-6, rtol=1e-5)


def test_one_step_goes_down_the_gradient_of_the_formula(tmp_path):
    """The step that the trainer takes is autograd's gradient of the plain formula, with nothing scaled on the way."""
    model, batch = tiny.model("qwen3"), some_rows(3)
    taken = gradients(model, batch, ObjectiveOptions(averaging="answer"), tmp_path, per_device_train_batch_size=3)
    other = copy.deepcopy(model)
    losses = []
    for row in batch:
        ids = torch.from_numpy(row["input_ids"])
        nll = F.cross_entropy(other(ids[None]).logits[0, :-1], ids[1:], reduction="none")
        losses += [nll[start - 1 : end - 1].mean() for _, start, end in row["bounds"]]
    torch.stack(losses).mean().backward()
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(taken[name], parameter.grad, atol=2e-6, rtol=1e-4)


def test_gradient_checkpointing_leaves_the_gradient_unchanged(tmp_path):
    model, objective, batch = tiny.model("llama"), ObjectiveOptions(), some_rows(4)
    plain = gradients(model, batch, objective, tmp_path)
    saved = gradients(model, batch, objective, tmp_path, activation_checkpointing=True)
    for name in plain:
        torch.testing.assert_close(saved[name], plain[name], atol=1e-6, rtol=1e-5)


def test_a_row_without_a_target_is_an_error(tmp_path):
    from manyshot.errors import EpisodeError

    with pytest.raises(EpisodeError, match="no target"):
        batch_loss(tiny.model("llama"), [row_of([0, 1])], ObjectiveOptions(shot_weights="from_shot(5)"), tmp_path)
