"""The weights of a row's tokens, against the formulas of the objective written out once more in plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from manyshot.errors import EpisodeError
from manyshot.objectives import ObjectiveOptions, shot_weight, target_spans, weigh_row

SCOPES = ["all_answers", "last_answer", "last_example", "all_tokens"]
AVERAGINGS = ["token", "answer", "sequence"]
SHOT_WEIGHTS = ["uniform", "ramp", "from_shot(0)", "from_shot(2)"]

# header of 3 tokens; prompts of 4, 2, 5 tokens; answers of 1, 3, 2 tokens
BOUNDS = np.array([[3, 7, 8], [8, 10, 13], [13, 18, 20]])


def a(shot: int, n: int, how: str) -> float:
    """The weight of the answer with `shot` examples before it, among n."""
    if how == "ramp":
        return (shot + 1) / n
    if how.startswith("from_shot"):
        return 0.0 if shot < int(how.removeprefix("from_shot(").removesuffix(")")) else 1.0
    return 1.0


def trained(bounds, scope: str) -> list[tuple[int, list[int]]]:
    """The (shot, tokens) that a scope trains; nothing stands before the first token of a row."""
    spans = []
    for shot, (prompt, answer, end) in enumerate(bounds.tolist()):
        begin = {"all_answers": answer, "last_answer": answer, "last_example": prompt, "all_tokens": prompt}[scope]
        if scope == "all_tokens" and shot == 0:
            begin = 0
        spans.append((shot, [t for t in range(begin, end) if t > 0]))
    return spans[-1:] if scope in ("last_answer", "last_example") else spans


def loss(rows: list[tuple[np.ndarray, np.ndarray]], scope: str, averaging: str, how: str) -> float | None:
    """The objective over a batch of (bounds, -log p by token), from the table of formulas; None without a target."""
    above = below = 0.0
    for bounds, nll in rows:
        for shot, tokens in trained(bounds, scope):
            weight, total, n = a(shot, len(bounds), how), sum(nll[t] for t in tokens), len(tokens)
            if averaging == "answer":
                above, below = above + weight * total / n, below + weight
            else:
                above, below = above + weight * total, below + weight * n
    if below == 0:
        return None
    return above / len(rows) if averaging == "sequence" else above / below


@st.composite
def a_row(draw, n_least: int = 1):
    """Bounds of a row and a -log p for each of its tokens."""
    at, bounds = draw(st.integers(0, 4)), []
    for _ in range(draw(st.integers(n_least, 5))):
        answer = at + draw(st.integers(1, 4))
        bounds.append((at, answer, answer + draw(st.integers(1, 4))))
        at = bounds[-1][2]
    return np.array(bounds), np.random.default_rng(draw(st.integers(0, 99))).uniform(0.1, 5, at)


@given(
    st.lists(a_row(n_least=3), min_size=1, max_size=4),
    st.sampled_from(SCOPES),
    st.sampled_from(AVERAGINGS),
    st.sampled_from(SHOT_WEIGHTS),
)
def test_weighted_sums_over_the_denominators_of_all_rows_are_the_objective(rows, scope, averaging, how):
    options = ObjectiveOptions(scope=scope, averaging=averaging, shot_weights=how)
    weighed = [weigh_row(bounds, len(nll), options) for bounds, nll in rows]
    above = sum(float(row.weights @ nll) for row, (_, nll) in zip(weighed, rows, strict=True))
    below = sum(row.denominator for row in weighed)
    assert above / below == pytest.approx(loss(rows, scope, averaging, how), rel=1e-5)


@pytest.mark.parametrize(
    ("scope", "tokens"),
    [
        ("all_answers", [7, 10, 11, 12, 18, 19]),
        ("last_answer", [18, 19]),
        ("last_example", [13, 14, 15, 16, 17, 18, 19]),
        ("all_tokens", list(range(1, 20))),
    ],
)
def test_a_scope_trains_these_tokens(scope, tokens):
    weighed = weigh_row(BOUNDS, 20, ObjectiveOptions(scope=scope))
    assert np.flatnonzero(weighed.weights).tolist() == tokens


@pytest.mark.parametrize(
    ("averaging", "weights", "denominator"),
    [
        ("token", {7: 1, 10: 1, 11: 1, 12: 1, 18: 1, 19: 1}, 6),
        ("answer", {7: 1, 10: 1 / 3, 11: 1 / 3, 12: 1 / 3, 18: 1 / 2, 19: 1 / 2}, 3),
        ("sequence", {7: 1, 10: 1, 11: 1, 12: 1, 18: 1, 19: 1}, 1),
    ],
)
def test_an_averaging_gives_these_weights(averaging, weights, denominator):
    weighed = weigh_row(BOUNDS, 20, ObjectiveOptions(averaging=averaging))
    assert {int(t): pytest.approx(weights[t]) for t in np.flatnonzero(weighed.weights)} == weights
    assert weighed.denominator == denominator


@pytest.mark.parametrize(
    ("how", "weights"),
    [("uniform", [1, 1, 1]), ("ramp", [1 / 3, 2 / 3, 1]), ("from_shot(1)", [0, 1, 1]), ("from_shot(2)", [0, 0, 1])],
)
def test_shot_weights_of_a_row_of_three(how, weights):
    assert [shot_weight(shot, 3, how) for shot in range(3)] == pytest.approx(weights)


def test_shots_name_the_examples_before_the_answer_of_a_token():
    shots = weigh_row(BOUNDS, 20, ObjectiveOptions()).shots
    assert {int(t): int(shots[t]) for t in np.flatnonzero(shots >= 0)} == {7: 0, 10: 1, 11: 1, 12: 1, 18: 2, 19: 2}


@pytest.mark.parametrize(
    ("scope", "how", "n"),
    [("all_answers", "uniform", 3), ("last_answer", "uniform", 1), ("all_answers", "from_shot(2)", 1)],
)
def test_supervised_answers_are_counted(scope, how, n):
    assert weigh_row(BOUNDS, 20, ObjectiveOptions(scope=scope, shot_weights=how)).n_answers == n


@given(a_row(), st.sampled_from(AVERAGINGS), st.sampled_from(["uniform", "ramp"]))
def test_a_row_that_ends_at_an_answer_trains_it_as_the_last_answer(row, averaging, how):
    # the i-th answer of a long row and the last answer of the row cut behind it are one and the same span
    bounds, _ = row
    for i in range(len(bounds)):
        whole, cut = target_spans(bounds, "all_answers"), target_spans(bounds[: i + 1], "last_answer")
        assert whole[i].tolist() == cut[0].tolist()


@pytest.mark.parametrize("scope", ["all_answers", "last_answer"])
@pytest.mark.parametrize("averaging", AVERAGINGS)
def test_a_row_without_a_target_is_refused_with_what_to_change(scope, averaging):
    options = ObjectiveOptions(scope=scope, averaging=averaging, shot_weights="from_shot(3)")
    with pytest.raises(EpisodeError) as caught:
        weigh_row(BOUNDS, 20, options)
    assert "3 examples" in str(caught.value)
    assert "from_shot(3)" in str(caught.value)
    assert "min_examples" in str(caught.value)


def test_a_row_of_no_examples_is_refused():
    with pytest.raises(EpisodeError):
        weigh_row(np.empty((0, 3), np.int64), 5, ObjectiveOptions())


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("how", SHOT_WEIGHTS)
def test_plain_text_trains_every_token_but_the_first_under_any_objective(scope, how):
    options = ObjectiveOptions(scope=scope, shot_weights=how, averaging="token")
    weighed = weigh_row(np.array([[0, 1, 9]]), 9, options, is_text=True)
    assert weighed.weights.tolist() == [0, *[1] * 8]
    assert weighed.denominator == 8
    assert (weighed.shots == -1).all()


def test_the_first_token_of_a_row_is_never_a_target():
    weighed = weigh_row(np.array([[0, 0, 3]]), 3, ObjectiveOptions())
    assert weighed.weights.tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("wrong", ["ramps", "from_shot", "from_shot(-1)", "from_shot(1.5)", "from_shot(2) ", ""])
def test_unknown_shot_weights_are_refused(wrong):
    with pytest.raises(ValidationError, match="use uniform, ramp or from_shot"):
        ObjectiveOptions(shot_weights=wrong)
