import pytest

from manyshot.studies.ladder.claims import judge_claims


def result(ratio=0.96, few=(0.06, [0.01, 0.11]), base=(0.01, [-0.02, 0.04]), reach=None):
    pairs = {"manyicl-few_shot_ft": few, "manyicl-base": base}
    return {
        "shots": 32,
        "learning_shots": 16,
        "to_dedicated": {"manyicl": {"ratio": ratio}},
        "paired": {pair: {"32": bounds, "4": [9.0, 9.0]} for pair, (_, bounds) in pairs.items()},
        "paired_mean": {pair: {"32": mean, "4": 9.0} for pair, (mean, _) in pairs.items()},
        "tokens_to_reach": {"target": 0.4, "base": 0.3, "tokens": 10, "of": 100, "share": 0.1} | (reach or {}),
    }


def agreed(**changes):
    return [claim["agree"] for claim in judge_claims(result(**changes))]


def test_every_goal_is_met_by_numbers_that_meet_it():
    assert agreed() == [True, True, True, True]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"ratio": 0.94}, 0),
        ({"few": (0.04, [0.03, 0.05])}, 1),
        # large enough, but it may be chance
        ({"few": (0.06, [-0.01, 0.13])}, 1),
        ({"base": (-0.001, [-0.02, 0.02])}, 2),
        ({"reach": {"share": 0.21}}, 3),
        ({"reach": {"share": None, "tokens": None}}, 3),
    ],
)
def test_one_number_short_of_its_goal_fails_that_goal_alone(changes, place):
    assert agreed(**changes) == [number != place for number in range(4)]


def test_what_was_not_measured_neither_agrees_nor_disagrees():
    empty = {**result(), "to_dedicated": {}, "paired": {}, "paired_mean": {}, "tokens_to_reach": None}
    assert [claim["agree"] for claim in judge_claims(empty)] == [None] * 4
    assert [claim["measured"] for claim in judge_claims(empty)] == [None] * 4


def test_a_final_score_that_is_the_bases_is_nothing_to_reach():
    claim = judge_claims(result(reach={"target": 0.3, "share": 0.01}))[3]
    assert claim["agree"] is None
    assert "not above the base's" in claim["note"]
