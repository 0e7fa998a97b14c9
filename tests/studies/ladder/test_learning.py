import pytest

from manyshot.studies.ladder.learning import saved_at, saving, tokens_to_reach


def learning(**curves):
    return {"base": 0.2, "curves": curves}


@pytest.mark.parametrize("steps", [1, 2, 7, 60, 1000])
def test_a_checkpoint_falls_on_every_point_of_the_curve_but_the_last_step(steps):
    points = saved_at(steps, [0.1, 0.2, 0.5, 0.999])
    assert steps not in points
    assert points == sorted(set(points))
    if points:
        assert not any(step % saving(points)["save_steps"] for step in points)
        assert saving(points)["save_total_limit"] is None


def test_the_tokens_to_reach_are_those_of_the_first_point_that_is_as_good():
    found = tokens_to_reach(
        learning(manyicl=[[10, 0.1], [20, 0.3], [50, 0.2], [100, 0.4]], few_shot_ft=[[40, 0.5], [80, 0.3]]),
        "manyicl",
        "few_shot_ft",
    )
    assert found == {"target": 0.3, "base": 0.2, "tokens": 20, "of": 80, "share": 0.25}


def test_what_is_never_reached_has_no_tokens():
    found = tokens_to_reach(learning(manyicl=[[10, 0.1]], few_shot_ft=[[80, 0.3]]), "manyicl", "few_shot_ft")
    assert found is not None
    assert (found["tokens"], found["share"]) == (None, None)
    assert tokens_to_reach(learning(manyicl=[[10, 0.1]]), "manyicl", "few_shot_ft") is None
    assert tokens_to_reach({}, "manyicl", "few_shot_ft") is None
