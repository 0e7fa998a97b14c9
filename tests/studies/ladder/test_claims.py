import pytest

from manyshot.studies.ladder.claims import judge_claims

FEW, BASE = (0.06, [0.01, 0.11]), (0.01, [-0.02, 0.04])


def paired(few, base):
    pairs = {"manyicl-few_shot_ft": few, "manyicl-base": base}
    return {
        "paired": {pair: {"32": bounds, "4": [9.0, 9.0]} for pair, (_, bounds) in pairs.items()},
        "paired_mean": {pair: {"32": mean, "4": 9.0} for pair, (mean, _) in pairs.items()},
    }


def result(ratio=0.96, few=FEW, base=BASE, near_few=FEW, near_base=BASE, drop=-0.01, reach=None):
    return {
        "shots": 32,
        "learning_shots": 16,
        "to_dedicated": {"manyicl": {"ratio": ratio}},
        **paired(few, base),
        "near": paired(near_few, near_base),
        "retention": {"manyicl": {"icl_drop": drop, "icl_drop_ci95": [-0.1, 0.1], "icl_tasks": ["a", "b"]}},
        "tokens_to_reach": {"target": 0.4, "base": 0.3, "tokens": 10, "of": 100, "share": 0.1} | (reach or {}),
    }


def agreed(**changes):
    return [claim["agree"] for claim in judge_claims(result(**changes))]


def test_every_goal_is_met_by_numbers_that_meet_it():
    assert agreed() == [True] * 7


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"ratio": 0.94}, 0),
        ({"few": (0.04, [0.03, 0.05])}, 1),
        # large enough, but it may be chance
        ({"few": (0.06, [-0.01, 0.13])}, 1),
        ({"near_few": (0.04, [0.03, 0.05])}, 2),
        ({"base": (-0.001, [-0.02, 0.02])}, 3),
        ({"near_base": (-0.001, [-0.02, 0.02])}, 4),
        ({"drop": 0.01}, 5),
        ({"reach": {"share": 0.21}}, 6),
        ({"reach": {"share": None, "tokens": None}}, 6),
    ],
)
def test_one_number_short_of_its_goal_fails_that_goal_alone(changes, place):
    assert agreed(**changes) == [number != place for number in range(7)]


def test_what_was_not_measured_neither_agrees_nor_disagrees():
    nothing = {"paired": {}, "paired_mean": {}}
    empty = {**result(), "to_dedicated": {}, **nothing, "near": nothing, "retention": {}, "tokens_to_reach": None}
    assert [claim["agree"] for claim in judge_claims(empty)] == [None] * 7
    assert [claim["measured"] for claim in judge_claims(empty)] == [None] * 7


def test_a_final_score_that_is_the_bases_is_nothing_to_reach():
    claim = judge_claims(result(reach={"target": 0.3, "share": 0.01}))[6]
    assert claim["agree"] is None
    assert "not above the base's" in claim["note"]
