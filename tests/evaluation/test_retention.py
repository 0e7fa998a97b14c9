"""Retention worked by hand from a few records: what is lost, on which tasks, and how sure that is."""

import dataclasses

import numpy as np
import pytest

from manyshot.errors import EvaluationError, RunError
from manyshot.evaluation import Judged, measure_retention, read_judged
from manyshot.evaluation.drops import drop, drop_over_queries, drop_over_tasks
from manyshot.records import CellLog, Prediction, Score

FAMILIES = {"a1": "qa", "a2": "qa", "b1": "nli", "goal": "nli", "text": "qa"}
FLOOR = 0.2
# task -> score at 0 and at 16 shots; a2 gains too little to count as in-context learning
BASE = {"a1": (0.2, 0.6), "a2": (0.5, 0.52), "b1": (0.3, 0.8)}


def rows(
    curves, method="base", *, n=100, draws=1, shots=(0, 16), floor=FLOOR, short=(), outputs=None, shift=0, bits=None
):
    """Records in which of every cell's n queries the first share is right; `shift` moves which ones."""
    scores, predictions = [], []
    for task, values in curves.items():
        for k, value in zip(shots, values, strict=True):
            for draw in range(draws):
                actual = k - 1 if task in short and k else k
                right = np.roll(np.arange(n) < round(value * n), shift)
                texts = [(outputs or {}).get((task, k), "x" if r else "y") for r in right]
                head = (method, task, k, actual, draw)
                predictions += [
                    Prediction(*head, q, t, "x", float(r), -1.0)
                    for q, (t, r) in enumerate(zip(texts, right, strict=True))
                ]
                scores.append(Score(method, task, FAMILIES[task], "accuracy", k, actual, draw, n, value, floor))
    return Judged(scores, predictions, bits)


def halved_above_floor(value):
    return FLOOR + (value - FLOOR) / 2


def test_every_number_is_the_one_worked_by_hand():
    """Foreign: a1 .2 -> .6, a2 .5 -> .52, b1 .3 -> .8 before; a1 .2 -> .4, a2 .5 -> .5, b1 .2 -> .6 after.

    Curves weigh families: at 16 (.56 + .8) / 2 = .68 before, (.45 + .6) / 2 = .525 after.
    Averages weigh tasks: 100 * 1.92 / 3 = 64 before, 100 * 1.5 / 3 = 50 after: a drop of 14 / 64.
    A over a1 and b1: (.4 + .6) / 2 = .5 before, (.2 + .4) / 2 = .3 after: icl_drop .4.
    Gains of those: (.4 + .5) / 2 = .45 before, (.2 + .4) / 2 = .3 after: gain_drop 1/3.
    """
    after = {"a1": (0.2, 0.4), "a2": (0.5, 0.5), "b1": (0.2, 0.6), "goal": (0.9, 0.95)}
    found = measure_retention(
        [rows({**BASE, "goal": (0.4, 0.7)}, bits=1.5)], [rows(after, "tuned", bits=1.56)], targets={"goal": ["x", "y"]}
    )
    assert found.tasks == ("a1", "a2", "b1")
    assert found.icl_tasks == ("a1", "b1")
    assert found.held_out_before == pytest.approx({"0": 0.325, "16": 0.68})
    assert found.held_out == pytest.approx({"0": 0.275, "16": 0.525})
    assert found.gain_from_shots_before == pytest.approx({"16": 0.355})
    assert found.gain_from_shots == pytest.approx({"16": 0.25})
    assert found.normalised_average_before == pytest.approx({"0": 100 / 3, "16": 64}, abs=1e-4)
    assert found.normalised_average == pytest.approx({"0": 30, "16": 50}, abs=1e-4)
    assert found.relative_drop == pytest.approx({"0": 0.1, "16": 14 / 64}, abs=1e-6)
    assert found.icl_drop == pytest.approx(0.4, abs=1e-6)
    assert found.gain_drop == pytest.approx(1 / 3, abs=1e-6)
    assert found.general_bits_per_byte_change == pytest.approx(0.06)
    assert found.target_tasks == ("goal",)
    assert (found.target_gain, found.target_icl_gain) == pytest.approx((0.5, 0.25))
    assert found.target_score == pytest.approx({"0": 0.9, "16": 0.95})


def test_a_model_that_did_not_change_lost_exactly_nothing():
    found = measure_retention([rows(BASE, draws=2)], [rows(BASE, "tuned", draws=2)])
    assert (found.icl_drop, found.gain_drop) == (0, 0)
    assert (found.icl_drop_ci95, found.gain_drop_ci95) == ([0, 0], [0, 0])
    assert set(found.relative_drop.values()) == {0}
    assert list(found.relative_drop_ci95.values()) == [[0, 0], [0, 0]]


def test_halving_every_score_above_its_floor_is_a_drop_of_one_half_however_tasks_are_drawn():
    after = {task: tuple(map(halved_above_floor, values)) for task, values in BASE.items()}
    found = measure_retention([rows(BASE)], [rows(after, "tuned")])
    assert found.icl_drop == pytest.approx(0.5, abs=1e-6)
    assert found.icl_drop_ci95 == pytest.approx([0.5, 0.5], abs=1e-6)


def test_losing_all_gain_from_shots_is_a_whole_gain_drop_though_scores_stay_above_the_floor():
    found = measure_retention([rows(BASE)], [rows({t: (v[1], v[1]) for t, v in BASE.items()}, "tuned")])
    assert found.gain_drop == pytest.approx(1)
    assert found.icl_drop == pytest.approx(0)


def test_only_tasks_that_the_base_learns_in_context_can_lose_it():
    """The tuned model is at the floor on a2 alone, where the base gains .02 from its demonstrations."""
    found = measure_retention([rows(BASE)], [rows({**BASE, "a2": (FLOOR, FLOOR)}, "tuned")])
    assert found.icl_drop == 0
    assert found.relative_drop["16"] == pytest.approx(0.32 / 1.92, abs=1e-6)


def test_a_gain_of_exactly_the_limit_counts():
    """.35 - .30 is below .05 in floating point."""
    assert 0.35 - 0.30 < 0.05
    assert measure_retention([rows({"a1": (0.30, 0.35)})], [rows({"a1": (0.30, 0.35)})]).icl_tasks == ("a1",)


def test_a_base_that_learns_nothing_in_context_has_nothing_to_lose():
    found = measure_retention([rows({"a1": (0.5, 0.5)})], [rows({"a1": (0.1, 0.1)}, "tuned")])
    assert (found.icl_drop, found.icl_drop_ci95, found.gain_drop) == (None, None, None)
    assert found.relative_drop["16"] == pytest.approx(0.8)


def test_seeds_are_averaged_before_the_ratio_is_taken():
    """After: a1 .4 in one seed, .5 in the other: 1 - .25 / .4."""
    base = {"a1": (0.2, 0.6)}
    found = measure_retention(
        [rows(base), rows(base)], [rows({"a1": (0.2, 0.4)}, "tuned"), rows({"a1": (0.2, 0.5)}, "tuned")]
    )
    assert found.seeds == 2
    assert found.icl_drop == pytest.approx(1 - 0.25 / 0.4, abs=1e-6)
    # either seed alone, twice, is what the widest resamples hold
    assert found.icl_drop_ci95 == pytest.approx([0.25, 0.5], abs=1e-6)


def test_a_task_that_does_not_allow_all_shots_is_left_out_and_named():
    found = measure_retention([rows(BASE)], [rows(BASE, "tuned", short=("b1",))])
    assert (found.tasks, found.left_out) == (("a1", "a2"), ("b1",))


def test_models_are_compared_on_the_queries_that_both_answered():
    """The tuned model's window left out the first half of the queries: on the others both do the same."""
    base = rows({"a1": (0.25, 0.75)})
    tuned = Judged(base.scores, [p for p in base.predictions if p.query >= 50])
    found = measure_retention([base], [tuned])
    assert found.held_out == found.held_out_before == pytest.approx({"0": 0, "16": 0.5})


def test_other_shots_or_draws_are_refused():
    with pytest.raises(EvaluationError, match=r"\[0, 16\] shots and the tuned model at \[0, 4\]"):
        measure_retention([rows(BASE)], [rows(BASE, "tuned", shots=(0, 4))])
    with pytest.raises(EvaluationError, match="1 draws of demonstrations in the base and 2"):
        measure_retention([rows(BASE)], [rows(BASE, "tuned", draws=2)])


def test_without_a_foreign_task_there_is_nothing_to_compare_on():
    with pytest.raises(EvaluationError, match="none of 1 tasks"):
        measure_retention([rows({"a1": (0.1, 0.5)})], [rows({"a1": (0.1, 0.5)})], targets={"a1": ["x"]})


def generated(text_outputs, label_outputs):
    """A free-text task, and a label task that was also scored with its labels generated."""
    plain = rows({"text": (0.0,)}, shots=(0,), n=10, floor=0.0, outputs={("text", 0): None})
    texts = [
        dataclasses.replace(p, prediction=o, target=t)
        for p, (o, t) in zip(plain.predictions, text_outputs, strict=True)
    ]
    labelled = rows({"a1": (0.5,)}, shots=(0,), n=10)
    free = [
        dataclasses.replace(p, method="base@free", prediction=o, target="x")
        for p, o in zip(labelled.predictions, label_outputs, strict=True)
    ]
    scores = [*plain.scores, *labelled.scores, dataclasses.replace(labelled.scores[0], method="base@free", floor=0.0)]
    return Judged(scores, [*texts, *labelled.predictions, *free])


def test_the_format_ratio_counts_generated_answers_of_the_tuned_task_only():
    """Text: 3 of 9 in the tuned task's form (case and full stop aside), one more where that is the right answer and does
    not count. Labels generated: 5 of 10. Labels chosen from a list do not count. Together 8 of 19."""
    tuned = generated(
        [("True.", "cat"), (" false", "dog"), ("TRUE", "cow"), ("True", "true"), *[("a true cat", "cat")] * 6],
        ["False"] * 5 + ["x"] * 5,
    )
    base = generated([("cat", "cat")] * 10, ["x"] * 10)
    found = measure_retention([base], [tuned], targets={"goal": ("True", "False")})
    assert found.format_ratio == pytest.approx(8 / 19, abs=1e-6)
    assert found.format_ratio_before == 0


def test_labels_chosen_from_a_list_give_no_format_ratio():
    found = measure_retention([rows(BASE)], [rows(BASE, "tuned")], targets={"goal": ("x", "y")})
    assert found.format_ratio is None


def test_the_interval_over_tasks_covers_the_true_drop_in_about_95_of_100_cases():
    """Tasks from a population whose mean is .5 before and .4 after."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        before = rng.uniform(0.3, 0.7, (1, 30))
        after = 0.8 * before + rng.normal(0, 0.05, before.shape)
        low, high = drop_over_tasks(before, after)
        covered += low <= 0.2 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_more_queries_narrow_the_interval_over_queries_and_the_point_lies_in_it():
    widths = []
    for n in (20, 500):
        half = {t: (v[0] / 2, v[1] / 2) for t, v in BASE.items()}
        found = measure_retention([rows(BASE, n=n)], [rows(half, "tuned", n=n, shift=n // 2)])
        low, high = found.relative_drop_ci95["16"]
        assert low < found.relative_drop["16"] < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_a_base_that_may_have_nothing_to_lose_gives_no_interval():
    before = np.array([[0.3, -0.2]])
    assert drop(before, before) == 0
    assert drop_over_tasks(before, before) is None
    assert drop_over_queries(before[..., None], before[..., None]) is None


def test_the_report_is_plain_json_and_reads_a_run_folder_by_method(tmp_path):
    import json

    log = CellLog(tmp_path)
    for judged in (rows(BASE), rows(BASE, "tuned"), rows({"a1": (0.1, 0.1)}, "tuned@sorted")):
        for score in judged.scores:
            log.add(score, [p for p in judged.predictions if p.cell == score.cell])
    log.finish()
    (tmp_path / "extras.json").write_text('{"tuned": {"general_bits_per_byte": 1.25}}')
    found = measure_retention([read_judged(tmp_path, "base")], [read_judged(tmp_path, "tuned")])
    assert found.icl_drop == 0
    assert found.general_bits_per_byte == 1.25
    assert found.general_bits_per_byte_change is None
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    with pytest.raises(RunError, match=r'no scores of "other".*base, tuned'):
        read_judged(tmp_path, "other")
