"""Gains from demonstrations on made-up records whose answers are known beforehand."""

import numpy as np
import pytest

from manyshot.evaluation import TaskScores, gains, interval, mean_gain
from manyshot.records import Prediction, Score

N_QUERIES = 40


def records_of(task, shots_to_right, family="f", floor=0.5, actual=None, metric="accuracy", method="m"):
    """A task judged at each number of shots; `shots_to_right` says by draw which of the queries are answered."""
    scores, predictions = [], []
    for k, by_draw in shots_to_right.items():
        for draw, right in enumerate(by_draw):
            for query in range(N_QUERIES):
                answer = "a" if query in right else "b"
                predictions.append(
                    Prediction(method, task, k, k, draw, query, answer, "a", float(query in right), -1.0)
                )
            room = k if actual is None else min(k, actual)
            score = len(right) / N_QUERIES
            scores.append(Score(method, task, family, metric, k, room, draw, N_QUERIES, score, floor))
    return scores, predictions


def test_a_gain_is_the_mean_difference_of_the_same_queries_with_the_interval_of_their_differences():
    rng = np.random.default_rng(0)
    right = {
        k: [set(rng.permutation(N_QUERIES)[:n].tolist()) for n in sizes] for k, sizes in ((0, (10, 12)), (4, (30, 26)))
    }
    [gain] = gains(*records_of("t", right), "m")
    assert (gain.fewest, gain.most, gain.n_queries, gain.n_draws) == (0, 4, N_QUERIES, 2)
    assert gain.before == pytest.approx(22 / 80)
    assert gain.after == pytest.approx(56 / 80)
    assert gain.difference == pytest.approx(34 / 80)
    # another path: the interval of one array of differences by query, under the resampling that a task's name fixes
    by_query = {
        k: np.mean([[float(q in r) for q in range(N_QUERIES)] for r in draws], axis=0) for k, draws in right.items()
    }
    alone = TaskScores((by_query[4] - by_query[0])[None, :])
    assert list(gain.ci95) == pytest.approx(interval(alone.resampled("t")))
    assert gain.is_real


def test_queries_that_are_right_with_and_without_demonstrations_leave_no_doubt_in_a_difference():
    always = set(range(20))
    [gain] = gains(*records_of("t", {0: [always], 8: [always]}), "m")
    assert (gain.difference, gain.ci95) == (0, (0, 0))
    assert not gain.is_real
    # though each score alone is uncertain
    assert gain.after_ci95[1] - gain.after_ci95[0] > 0.1


@pytest.mark.parametrize(("n_right", "floor", "above"), [(38, 0.5, True), (22, 0.5, False), (22, 0.1, True)])
def test_above_the_floor_is_said_of_the_whole_interval(n_right, floor, above):
    right = {0: [set()], 4: [set(range(n_right))]}
    assert gains(*records_of("t", right, floor=floor), "m")[0].is_above_floor is above


def test_a_number_of_shots_that_there_was_no_room_for_is_not_taken_for_it():
    right = {k: [set(range(10))] for k in (0, 4, 64)}
    assert gains(*records_of("t", right, actual=50), "m")[0].most == 4
    assert gains(*records_of("t", right), "m")[0].most == 64
    assert gains(*records_of("t", right, actual=3), "m") == []
    assert gains(*records_of("t", right, method="other"), "m") == []


def test_macro_f1_is_resampled_as_macro_f1():
    # all queries have one label, so a class mean of F1 is not the share that is right
    right = {0: [set(range(10))], 4: [set(range(30))]}
    [plain] = gains(*records_of("t", right), "m")
    [macro] = gains(*records_of("t", right, metric="macro_f1"), "m")
    assert plain.after == pytest.approx(0.75)
    assert macro.after != pytest.approx(0.75)
    assert macro.ci95[0] < macro.difference < macro.ci95[1]


def test_the_mean_gain_weighs_families_alike_whatever_they_hold():
    parts = [
        records_of("a", {0: [set()], 4: [set(range(40))]}, family="x"),
        records_of("b", {0: [set()], 4: [set()]}, family="y"),
        records_of("c", {0: [set()], 4: [set()]}, family="y"),
    ]
    scores = [s for part in parts for s in part[0]]
    predictions = [p for part in parts for p in part[1]]
    mean, ends = mean_gain(scores, predictions, "m", gains(scores, predictions, "m"))
    assert mean == pytest.approx(0.5)
    assert ends == pytest.approx((0.5, 0.5))
