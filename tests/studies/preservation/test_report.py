"""Numbers of the report against what they mean, on records made by hand."""

from dataclasses import replace

import pytest

from manyshot.evaluation import Judged
from manyshot.records import Prediction, Score
from manyshot.studies.preservation.claims import claims_of_where, measure_claims
from manyshot.studies.preservation.report import (
    Pair,
    Target,
    against_goal,
    difference,
    measure_outcome,
    rank_correlation,
    rooms,
)

FLOOR = 0.2
FOREIGN = ["f0", "f1", "f2", "f3"]
TOPIC = Target("topic", "topic", ("red", "blue"))
ROLE = Target("role", "role", ("Ann", "Bob"))
N = 20


def judged(name, right, says="nothing"):
    """Records of one model: {(task, shots): number of right answers of 20}; wrong answers are `says`."""
    scores, predictions = [], []
    for (task, k), n in right.items():
        scores.append(Score(name, task, "family", "accuracy", k, k, 0, N, n / N, FLOOR if task[0] == "f" else 0.0))
        predictions += [Prediction(name, task, k, k, 0, q, "x" if q < n else says, "x", q < n, -1.0) for q in range(N)]
    return Judged(scores, predictions)


def model(name, at_shots, target=0, *, says="nothing"):
    """A model with these numbers of right answers on the foreign tasks at 2 shots, and on both targets at 0."""
    right = {(task, 0): 4 for task in FOREIGN} | {(t, 2): n for t, n in zip(FOREIGN, at_shots, strict=True)}
    right |= {(t, k): target for t in ("topic", "role") for k in (0, 2)}
    return judged(name, right, says)


BASE = model("base", [16, 12, 8, 4])


def outcome(*models, targets=((TOPIC,), (ROLE,)), seeds=(0,), size=100):
    keys = [(t, s) for t in targets for s in seeds]
    pairs = [Pair(t, s, m, 2.0, 1000, size) for (t, s), m in zip(keys, models, strict=True)]
    return measure_outcome(BASE, pairs, FOREIGN, 2)


def test_a_drop_is_what_is_lost_above_the_floor_where_shots_help_the_base():
    # f3 gains nothing from shots and does not count; above the floor: 12 + 8 + 4 of 20 before
    report = outcome(model("a", [10, 8, 6, 0]), model("b", [16, 12, 8, 0])).report
    assert report["icl_tasks"] == ["f0", "f1", "f2"]
    assert report["icl_drop"] == pytest.approx(1 - (6 + 4 + 2 + 12 + 8 + 4) / (2 * 24))


def test_a_difference_of_drops_is_that_of_the_reports_and_its_interval_holds_it():
    one = outcome(model("a", [9, 8, 6, 0]), model("b", [11, 7, 8, 0]))
    other = outcome(model("c", [16, 11, 8, 0]), model("d", [15, 12, 8, 0]))
    found = difference(one, other, "icl_drop")
    assert found["difference"] == pytest.approx(one.report["icl_drop"] - other.report["icl_drop"], abs=1e-4)
    assert 0 < found["ci95"][0] < found["difference"] < found["ci95"][1]
    turned = difference(other, one, "icl_drop")
    assert turned["ci95"] == pytest.approx([-found["ci95"][1], -found["ci95"][0]])


@pytest.mark.parametrize("of", ["icl_drop", "target_gain", "target_icl_gain"])
def test_a_method_does_not_differ_from_itself(of):
    one = outcome(model("a", [9, 8, 6, 0], target=7), model("b", [3, 7, 8, 0], target=2))
    assert difference(one, one, of) == {"difference": 0.0, "ci95": [0.0, 0.0]}


def test_a_gain_is_paired_over_targets():
    report = outcome(model("a", [9] * 4, target=10), model("b", [9] * 4, target=20)).report
    assert report["target_gain"] == pytest.approx((0.5 + 1.0) / 2)
    assert report["target_gain_ci95"][0] < 0.75 < report["target_gain_ci95"][1]


def test_only_the_answers_of_the_own_target_count_as_its_format():
    # 0 of f's 20 answers are right at no shots, and every wrong one is an answer of the topic task
    shown = [model("a", [0] * 4, says="red"), model("b", [0] * 4, says="red")]
    free = [replace(m, scores=[replace(s, floor=0.0) for s in m.scores]) for m in shown]
    base = replace(BASE, scores=[replace(s, floor=0.0) for s in BASE.scores])
    pairs = [Pair((t,), 0, m, 1.0, 1, 1) for t, m in zip((TOPIC, ROLE), free, strict=True)]
    wrong = (4 * (N - 4) + 4 * N) / (8 * N)
    assert measure_outcome(base, pairs, FOREIGN, 2).report["format_ratio"] == pytest.approx(wrong / 2)


def test_methods_that_move_more_and_lose_more_are_ranked_alike():
    lost = {10: [16, 12, 8, 0], 20: [14, 11, 8, 0], 30: [12, 10, 7, 0], 40: [6, 6, 6, 0]}
    rising = [outcome(model("a", n), model("b", n), size=size) for size, n in lost.items()]
    assert rank_correlation(rising)["difference"] == pytest.approx(1.0)
    falling = [outcome(model("a", n), model("b", n), size=-size) for size, n in lost.items()]
    assert rank_correlation(falling)["difference"] == pytest.approx(-1.0)


def test_a_target_without_room_or_that_nothing_teaches_is_not_enough():
    right = {(t, k): 4 for t in FOREIGN for k in (0, 2)} | {("topic", 0): 19, ("topic", 2): 19, ("role", 0): 2}
    found = rooms(judged("base", right), [TOPIC, ROLE], {})
    assert found["topic"]["room"] == pytest.approx(0.05)
    assert not found["topic"]["enough"]
    taught = outcome(model("a", [9] * 4, target=1), model("b", [9] * 4, target=20))
    found = rooms(BASE, [TOPIC, ROLE], {"full": taught})
    assert [found[t]["enough"] for t in ("topic", "role")] == [False, True]


GOOD = {"icl_drop": 0.02, "icl_drop_ci95": [-0.1, 0.05], "target_gain": 0.38, "seconds_ratio": 1.5}


@pytest.mark.parametrize(
    ("change", "reached"),
    [
        ({}, True),
        ({"icl_drop": 0.03}, False),
        ({"icl_drop_ci95": [-0.1, 0.06]}, False),
        ({"target_gain": 0.37}, False),
        ({"seconds_ratio": 1.6}, False),
        ({"icl_drop_ci95": None}, None),
    ],
)
def test_the_goal_is_reached_only_when_all_of_it_is(change, reached):
    assert against_goal({**GOOD, **change}, {"target_gain": 0.4})["reached"] is reached


def claims(**models):
    found = measure_claims({name: outcome(*both) for name, both in models.items()})
    return {line["claim"]: line["agree"] for line in found}


def test_a_claim_agrees_disagrees_or_is_not_told_apart_by_its_interval():
    poor, good = [model("a", [6, 6, 5, 0])] * 2, [model("b", [16, 12, 8, 0])] * 2
    mixed = [model("c", [16, 4, 8, 0]), model("d", [4, 12, 8, 0])]
    name = next(c for c in claims(full=poor, lora=good) if "than LoRA" in c)
    assert claims(full=poor, lora=good)[name] == "yes"
    assert claims(full=good, lora=poor)[name] == "no"
    assert claims(full=mixed, lora=list(reversed(mixed)))[name] == "not told apart"


def test_claims_about_methods_that_were_not_run_are_left_out():
    assert claims(full=[BASE] * 2) == {}


def test_two_sources_that_say_the_opposite_cannot_both_be_right():
    poor, good = [model("a", [6, 6, 5, 0])] * 2, [model("b", [16, 12, 8, 0])] * 2
    found = claims(**{"full": poor, "full+icl_format20": good})
    assert sorted(found.values()) == ["no", "yes"]


@pytest.mark.parametrize(
    ("cosine", "back", "agree"),
    [
        ((0.98, 0.1), 0.9, ["yes", "yes"]),
        ((0.98, 0.6), 0.1, ["no", "no"]),
        ((0.5, 0.1), None, ["no", "not told apart"]),
    ],
)
def test_where_it_lives_is_claimed_of_one_model(cosine, back, agree):
    where = {
        "gradient_cosine": dict(zip(("base", "tuned"), cosine, strict=True)),
        "restored": {"qkvo": {"all": {"recovered": back}}},
    }
    assert [line["agree"] for line in claims_of_where(where)] == agree
