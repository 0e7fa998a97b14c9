import numpy as np
import pytest

from manyshot.records import Prediction, Score
from manyshot.studies.ladder.paired import paired_differences, ratio_to_dedicated


def records_of(correct: dict[tuple[str, str, int], list[list[float]]]) -> tuple[list[Score], list[Prediction]]:
    """Scores and predictions from (method, task, shots) -> draws of queries."""
    scores, predictions = [], []
    for (method, task, k), draws in correct.items():
        for draw, row in enumerate(draws):
            family = "math" if task.startswith("m") else "qa"
            scores.append(Score(method, task, family, "accuracy", k, k, draw, len(row), float(np.mean(row)), 0.25))
            predictions += [
                Prediction(method, task, k, k, draw, q, "a", "b", value, -1.0) for q, value in enumerate(row)
            ]
    return scores, predictions


def test_a_difference_is_the_mean_over_families_of_the_mean_over_tasks():
    correct = {
        ("x", "m1", 4): [[1, 1, 0, 0]],
        ("y", "m1", 4): [[0, 0, 0, 0]],
        ("x", "q1", 4): [[1, 0, 0, 0]],
        ("y", "q1", 4): [[1, 1, 0, 0]],
        ("x", "q2", 4): [[1, 1, 1, 1]],
        ("y", "q2", 4): [[1, 1, 1, 0]],
    }
    point = paired_differences(*records_of(correct), ["m1", "q1", "q2"], [("x", "y")])["x-y"]["4"]
    assert point["mean"] == pytest.approx((0.5 + (-0.25 + 0.25) / 2) / 2)
    assert point["ci95"][0] < point["mean"] < point["ci95"][1]


def test_a_method_against_itself_differs_by_nothing_and_no_number_of_queries_separates_it():
    correct = {(m, "m1", 0): [[1, 0, 1, 1, 0], [0, 0, 1, 1, 0]] for m in "xy"}
    point = paired_differences(*records_of(correct), ["m1"], [("x", "y")])["x-y"]["0"]
    assert point == {"mean": 0.0, "ci95": [0.0, 0.0], "queries": 5, "queries_needed": None}


def test_the_queries_needed_grow_with_the_square_of_interval_over_difference():
    rng = np.random.default_rng(0)
    better, worse = (rng.random(400) < 0.6).astype(float), (rng.random(400) < 0.5).astype(float)
    correct = {("x", "m1", 0): [better.tolist()], ("y", "m1", 0): [worse.tolist()]}
    point = paired_differences(*records_of(correct), ["m1"], [("x", "y")])["x-y"]["0"]
    half = (point["ci95"][1] - point["ci95"][0]) / 2
    assert point["queries_needed"] == int(np.ceil(400 * (half / abs(point["mean"])) ** 2))


def test_the_ratio_to_dedicated_models_leaves_out_tasks_without_room():
    scores = [
        Score("dedicated_ft", "a", "qa", "accuracy", 0, 0, 0, 9, 0.85, 0.25),
        Score("manyicl", "a", "qa", "accuracy", 16, 16, 0, 9, 0.55, 0.25),
        # no room: the dedicated model is at the floor, and the other far above it
        Score("dedicated_ft", "b", "qa", "accuracy", 0, 0, 0, 9, 0.30, 0.25),
        Score("manyicl", "b", "qa", "accuracy", 16, 16, 0, 9, 0.95, 0.25),
    ]
    assert ratio_to_dedicated(scores, "manyicl", 16)["ratio"] == pytest.approx(0.5)
    assert ratio_to_dedicated(scores[2:], "manyicl", 16)["ratio"] is None
