"""Summaries worked by hand from a few records."""

import numpy as np
import pytest

from manyshot.errors import RunError
from manyshot.evaluation import summarise
from manyshot.records import CellLog, Prediction, Score

# task -> family; a1 and a2 share a family
FAMILIES = {"a1": "qa", "a2": "qa", "b1": "nli"}
HELD_OUT = dict.fromkeys(FAMILIES, "held_out")


def write(folder, cells, families=FAMILIES, metric="accuracy", floor=0.25):
    """`cells`: (method, task, shots, draw) -> (actual shots, each query's correctness)."""
    log = CellLog(folder)
    for (method, task, shots, draw), (actual, correct) in cells.items():
        head = (method, task, shots, actual, draw)
        predictions = [
            Prediction(*head, query, "x" if right else "y", "x", float(right), -1.0)
            for query, right in enumerate(correct)
        ]
        score = Score(
            method, task, families[task], metric, shots, actual, draw, len(correct), float(np.mean(correct)), floor
        )
        log.add(score, predictions)
    log.finish()
    return folder


def shares(*values, n=10):
    """Rows of n queries with these shares of right answers."""
    return [[1.0] * round(v * n) + [0.0] * (n - round(v * n)) for v in values]


def one_method(folder, method="base", by_task=None):
    """Two draws at 0 and 4 shots; by_task gives (draw 0, draw 1) at 4 shots, half of it at 0."""
    by_task = by_task or {"a1": (0.2, 0.4), "a2": (0.6, 0.4), "b1": (1.0, 0.8)}
    cells = {}
    for task, values in by_task.items():
        for draw, value in enumerate(values):
            cells[method, task, 0, draw] = (0, shares(value / 2)[0])
            cells[method, task, 4, draw] = (4, shares(value)[0])
    return write(folder, cells)


def test_held_out_is_the_mean_over_families_of_the_mean_over_tasks(tmp_path):
    """qa: (0.3 + 0.5) / 2 = 0.4, nli: 0.9; their mean 0.65, where the mean over tasks would be 0.567."""
    summary = summarise(one_method(tmp_path), HELD_OUT, {})["methods"]["base"]
    assert summary["held_out"] == {"0": pytest.approx(0.325), "4": pytest.approx(0.65)}
    assert summary["families"] == {
        "nli": {"0": pytest.approx(0.45), "4": pytest.approx(0.9)},
        "qa": {"0": pytest.approx(0.2), "4": pytest.approx(0.4)},
    }


def test_the_worst_draw_is_a_draw_of_the_whole_curve(tmp_path):
    """Draw 0: (0.4 + 1.0) / 2 = 0.7; draw 1: (0.4 + 0.8) / 2 = 0.6. Not the mean of each task's worst (0.55)."""
    summary = summarise(one_method(tmp_path), HELD_OUT, {})["methods"]["base"]
    assert summary["worst_draw"]["held_out"]["4"] == pytest.approx(0.6)


def test_the_interval_over_draws_is_of_the_curves_own_points(tmp_path):
    summary = summarise(one_method(tmp_path), HELD_OUT, {})["methods"]["base"]
    half = 12.706 * np.std([0.7, 0.6], ddof=1) / 2**0.5
    assert summary["ci95_draws"]["held_out"]["4"] == pytest.approx([0.65 - half, 0.65 + half], abs=1e-5)


def test_every_interval_over_queries_holds_its_point(tmp_path):
    summary = summarise(one_method(tmp_path), HELD_OUT, {})["methods"]["base"]
    ci = summary["ci95"]
    pairs = [(summary["held_out"][k], ci["held_out"][k]) for k in ("0", "4")]
    pairs += [(summary["families"][f][k], ci["families"][f][k]) for f in ("qa", "nli") for k in ("0", "4")]
    pairs += [(summary["tasks"][task]["score"], ci["tasks"][task]) for task in FAMILIES]
    assert all(low <= point <= high for point, (low, high) in pairs)


def test_a_task_is_reported_with_its_floor_and_its_largest_shot_count(tmp_path):
    summary = summarise(one_method(tmp_path), HELD_OUT, {})["methods"]["base"]
    assert summary["tasks"]["a2"] == {"score": pytest.approx(0.5), "floor": 0.25, "shots": 4}


def test_roles_have_curves_of_their_own(tmp_path):
    roles = {"a1": "seen", "a2": "near", "b1": "held_out"}
    summary = summarise(one_method(tmp_path), roles, {})
    method = summary["methods"]["base"]
    assert (method["seen"]["4"], method["near"]["4"], method["held_out"]["4"]) == pytest.approx((0.3, 0.5, 0.9))
    assert summary["n_tasks"] == {"seen": 1, "near": 1, "held_out": 1}


def test_tasks_that_allow_fewer_shots_have_a_curve_of_their_own(tmp_path):
    """b1 has room for 3 of 4 demonstrations, so it ends at 0 shots and moves no point of the others' curve."""
    cells = {("base", task, k, 0): (k, shares(0.5)[0]) for task in ("a1", "a2") for k in (0, 4)}
    cells |= {("base", "b1", 0, 0): (0, shares(0.1)[0]), ("base", "b1", 4, 0): (3, shares(0.9)[0])}
    summary = summarise(write(tmp_path, cells), HELD_OUT, {})
    method = summary["methods"]["base"]
    assert method["held_out"] == {"0": 0.5, "4": 0.5}
    assert method["held_out_to_0"] == {"0": pytest.approx(0.1)}
    assert method["tasks"]["b1"]["shots"] == 0
    assert summary["n_tasks"] == {"held_out": 2, "held_out_to_0": 1}


def test_a_task_that_is_short_in_one_draw_or_method_is_short(tmp_path):
    cells = {(m, "a1", k, d): (k, shares(0.5)[0]) for m in ("base", "tuned") for k in (0, 4, 16) for d in (0, 1)}
    cells["tuned", "a1", 16, 1] = (12, shares(0.5)[0])
    summary = summarise(write(tmp_path, cells), HELD_OUT, {})
    for method in ("base", "tuned"):
        assert summary["methods"][method]["held_out_to_4"] == {"0": 0.5, "4": 0.5}
        assert "held_out" not in summary["methods"][method]


def test_a_task_that_allows_none_of_the_shot_counts_does_not_end_the_summary(tmp_path):
    """Asked for 4 shots alone, and b1 has room for 2: it has no point on any curve."""
    cells = {("base", "a1", 4, 0): (4, shares(0.5)[0]), ("base", "b1", 4, 0): (2, shares(0.9)[0])}
    summary = summarise(write(tmp_path, cells), HELD_OUT, {})
    assert summary["methods"]["base"]["held_out"] == {"4": 0.5}


def two_methods(folder):
    cells = {}
    for task in FAMILIES:
        for draw in (0, 1):
            cells["base", task, 4, draw] = (4, shares(0.3)[0])
            cells["tuned", task, 4, draw] = (4, shares(0.8)[0])
    return write(folder, cells)


def test_a_better_method_has_a_positive_difference_from_the_base(tmp_path):
    summary = summarise(two_methods(tmp_path), HELD_OUT, {"base": {}, "tuned": {}})
    assert summary["base"] == "base"
    point = summary["differences"]["tuned-base"]["held_out"]["4"]
    assert point["mean"] == pytest.approx(0.5)
    assert 0 < point["ci95"][0] < 0.5 < point["ci95"][1]


def test_differences_are_taken_from_the_base_whatever_comes_first(tmp_path):
    """After a resumption the fields of the tuned model may be known before those of the base."""
    summary = summarise(two_methods(tmp_path), HELD_OUT, {"tuned": {"seconds": 1.0}})
    assert summary["base"] == "base"
    assert summary["differences"]["tuned-base"]["held_out"]["4"]["mean"] == pytest.approx(0.5)


def test_a_difference_is_taken_on_the_queries_that_both_methods_answered(tmp_path):
    """The second model's window leaves out five queries, on which the first is wrong; on the others both are right."""
    cells = {("base", "a1", 4, 0): (4, shares(0.5)[0]), ("short", "a1", 4, 0): (4, [1.0] * 5)}
    summary = summarise(write(tmp_path, cells), HELD_OUT, {})
    assert summary["differences"]["short-base"]["held_out"]["4"]["mean"] == 0


def test_the_difference_of_a_method_from_itself_is_zero_in_every_resample(tmp_path):
    cells = {(m, "a1", 4, 0): (4, shares(0.3)[0]) for m in ("base", "copy")}
    summary = summarise(write(tmp_path, cells), HELD_OUT, {})
    assert summary["differences"]["copy-base"]["held_out"]["4"] == {"mean": 0, "ci95": [0, 0]}


def test_macro_f1_of_a_task_is_not_the_mean_of_its_queries(tmp_path):
    """Five of six x right, and y never: F1 of x 10/11, of y 0."""
    log = CellLog(tmp_path)
    targets = ["x"] * 5 + ["z"]
    rows = [Prediction("base", "a1", 0, 0, 0, q, "x", t, float(t == "x"), -1.0) for q, t in enumerate(targets)]
    log.add(Score("base", "a1", "qa", "macro_f1", 0, 0, 0, 6, 5 / 11, 5 / 11), rows)
    summary = summarise(tmp_path, HELD_OUT, {})
    assert summary["methods"]["base"]["held_out"]["0"] == pytest.approx((10 / 11) / 2, abs=1e-6)


def test_extra_fields_stand_beside_a_methods_curves(tmp_path):
    summary = summarise(one_method(tmp_path), HELD_OUT, {"base": {"general_bits_per_byte": 1.5}})
    assert summary["methods"]["base"]["general_bits_per_byte"] == 1.5


def test_a_folder_without_scores_is_named(tmp_path):
    with pytest.raises(RunError, match=str(tmp_path)):
        summarise(tmp_path, {}, {})
