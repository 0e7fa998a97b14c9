"""Intervals: they cover what they should, pair what is paired, and stay apart for queries and draws."""

import numpy as np
import pytest

from manyshot.evaluation import TaskScores, interval, queries_to_separate
from manyshot.evaluation.intervals import draw_interval, family_mean


def test_the_bootstrap_interval_covers_the_mean_in_95_of_100_cases():
    rng = np.random.default_rng(0)
    truth, n_queries, n_trials, covered = 0.7, 120, 400, 0
    for trial in range(n_trials):
        correct = (rng.random((1, n_queries)) < truth).astype(float)
        low, high = interval(TaskScores(correct).resampled(f"task {trial}"))
        covered += low <= truth <= high
    # binomial: 0.95 +- 3 standard errors, and one point for the bootstrap's own error at 120 queries
    assert 0.95 - 3 * (0.95 * 0.05 / n_trials) ** 0.5 - 0.01 <= covered / n_trials <= 0.985


def test_the_bootstrap_has_the_standard_error_of_a_mean():
    correct = (np.random.default_rng(1).random((1, 200)) < 0.4).astype(float)
    resampled = TaskScores(correct).resampled("t")
    assert resampled.std() == pytest.approx(correct.std() / 200**0.5, rel=0.1)
    assert resampled.mean() == pytest.approx(correct.mean(), abs=0.005)


def test_draws_of_the_same_queries_do_not_count_as_more_queries():
    """Five draws that agree on every query say no more about other queries than one."""
    one = (np.random.default_rng(2).random((1, 100)) < 0.5).astype(float)
    five = np.repeat(one, 5, axis=0)
    assert interval(TaskScores(five).resampled("t")) == interval(TaskScores(one).resampled("t"))


def test_two_methods_on_the_same_queries_are_resampled_alike():
    """A method that is better by 0.1 on every query is better by 0.1 in every resample."""
    base = np.random.default_rng(3).random((2, 80)) * 0.9
    difference = TaskScores(base + 0.1).resampled("t") - TaskScores(base).resampled("t")
    assert difference == pytest.approx(np.full(1000, 0.1))


def test_resampling_is_the_same_every_time_and_another_one_for_another_task():
    scores = TaskScores(np.random.default_rng(4).random((1, 50)))
    assert np.array_equal(scores.resampled("t"), scores.resampled("t"))
    assert not np.array_equal(scores.resampled("t"), scores.resampled("u"))


def test_macro_f1_is_resampled_as_a_whole_and_not_as_a_mean_of_queries():
    targets = np.array([0] * 30 + [1] * 10)
    predicted = np.array([[0] * 28 + [1] * 6 + [0] * 6])
    scores = TaskScores((predicted == targets).astype(float), predicted, targets)
    # by hand: label 0 hits 28 of 30 targets and 34 predictions; label 1 hits 4 of 10 and 6
    assert scores.score() == pytest.approx((2 * 28 / (30 + 34) + 2 * 4 / (10 + 6)) / 2)
    low, high = interval(scores.resampled("t"))
    assert low < scores.score() < high


def test_the_interval_over_draws_is_students_t_by_hand():
    """Five draws: mean 0.6, standard deviation 0.1, so 0.6 +- 2.776 x 0.1 / sqrt(5)."""
    draws = 0.6 + 0.1 * np.array([-1.2649110640673518, -0.6324555320336759, 0, 0.6324555320336759, 1.2649110640673518])
    assert draws.std(ddof=1) == pytest.approx(0.1)
    half = 2.776 * 0.1 / 5**0.5
    assert draw_interval(draws) == pytest.approx([0.6 - half, 0.6 + half], abs=1e-6)


@pytest.mark.parametrize(("n", "t"), [(2, 12.706), (3, 4.303), (11, 2.228), (13, 2.179), (31, 2.042)])
def test_the_interval_over_draws_has_the_printed_quantile(n, t):
    """From any printed table of Student's t: 1, 2, 10, 12 and 30 degrees of freedom."""
    draws = np.arange(n) / n
    low, high = draw_interval(draws)
    assert (high - low) / 2 == pytest.approx(t * draws.std(ddof=1) / n**0.5, rel=1e-3)


def test_one_draw_has_no_interval_over_draws():
    assert draw_interval(np.array([0.5])) is None


def test_a_family_of_many_tasks_weighs_as_much_as_one_of_a_single_task():
    values = {"a1": np.array([0.0]), "a2": np.array([0.2]), "a3": np.array([0.4]), "b1": np.array([1.0])}
    families = {"a1": "a", "a2": "a", "a3": "a", "b1": "b"}
    assert family_mean(values, families) == pytest.approx([(0.2 + 1.0) / 2])


def test_enough_queries_to_separate_put_zero_outside_the_interval():
    difference = np.random.default_rng(5).normal(0.1, 0.5, 400)
    n = queries_to_separate(difference)
    half = 1.96 * difference.std(ddof=1) / n**0.5
    assert half <= difference.mean() < 1.96 * difference.std(ddof=1) / (n - 1) ** 0.5


def test_no_number_of_queries_separates_equal_methods():
    assert queries_to_separate(np.zeros(10)) is None
