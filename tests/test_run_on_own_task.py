"""A user's own task, judged beside the tasks of another suite: what the model can do elsewhere before and after."""

import pytest
import yaml

from manyshot.errors import ManyshotError
from manyshot.files import read_json, write_json
from manyshot.recipe import load_recipe, make_recipe
from manyshot.records import read_scores
from manyshot.run import Run
from manyshot.tasks import save_task
from tests import tiny
from tests.small_run import recipe

EVALUATION = {"shots": [0, 2], "draws": 1, "limit": 3, "tasks": ["dev"]}


@pytest.fixture
def places(tmp_path):
    """One task folder, and a suite of another task in dev."""
    own, other = tmp_path / "mine", tmp_path / "suite"
    save_task(tiny.word_task("mine", n_train=30, n_test=4), own)
    save_task(tiny.word_task("elsewhere", n_train=30, n_test=4, seed=7), other / "elsewhere")
    write_json(other / "suite.json", {"dev": ["elsewhere"]})
    return own, other


def test_own_and_foreign_tasks_are_judged_before_and_after(places, tmp_path):
    own, other = places
    wanted = recipe(own, evaluation={**EVALUATION, "suite": str(other)})
    Run(wanted, tmp_path / "run").execute()
    scores = read_scores(tmp_path / "run")
    assert {(s.method, s.task) for s in scores} == {(m, t) for m in ("base", "tuned") for t in ("elsewhere", "mine")}
    methods = read_json(tmp_path / "run" / "summary.json")["methods"]
    for name in ("base", "tuned"):
        assert set(methods[name]) >= {"dev", "seen"}
        assert set(methods[name]["dev"]) == {"0", "2"}


def test_texts_shared_with_the_other_suite_stop_the_run(places, tmp_path):
    own, other = places
    save_task(tiny.word_task("elsewhere", n_train=30, n_test=4), other / "elsewhere")
    value = recipe(own, evaluation={**EVALUATION, "suite": str(other)}).model_dump()
    value["suite"]["leaks"] = "error"
    with pytest.raises(ManyshotError, match="elsewhere"):
        Run(make_recipe(value), tmp_path / "run").execute()


def test_the_other_suite_stands_relative_to_the_recipe(places, tmp_path):
    place = tmp_path / "mine.yaml"
    place.write_text(
        yaml.safe_dump(
            {"suite": {"path": "mine"}, "model": {"path": "a/b"}, "evaluation": {**EVALUATION, "suite": "suite"}}
        )
    )
    assert load_recipe(place).evaluation.suite == str((tmp_path / "suite").resolve())
