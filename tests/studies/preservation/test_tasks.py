from itertools import pairwise

import pytest

from manyshot.files import write_json
from manyshot.studies.preservation.tasks import is_diverse, open_study_suite, sweep_name, training_paths
from manyshot.studies.text import study_text
from manyshot.tasks import Example, Task, open_corpus, open_suite, save_task


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    root = tmp_path_factory.mktemp("suite")
    paths = [f"{family}{i}" for family, n in (("a", 5), ("b", 3), ("c", 2)) for i in range(n)]
    rows = [Example("x", "y")]
    for path in paths:
        save_task(Task(path, path[0], "", "exact_match", None, rows, [Example("q", "y")]), root / path)
    write_json(root / "suite.json", {"train": paths})
    return open_suite(root)


def test_few_tasks_are_among_many_and_families_take_turns(suite):
    sets = [training_paths(suite, sweep_name(n), seed=3) for n in (1, 3, 4, 99)]
    for few, many in pairwise(sets):
        assert many[: len(few)] == few
    assert len({path[0] for path in sets[1]}) == 3
    assert sorted(sets[3]) == sorted(suite.paths)
    assert sets[2] != training_paths(suite, sweep_name(4), seed=4)


def test_tasks_of_one_family_are_of_the_largest(suite):
    paths = training_paths(suite, sweep_name(4, one_family=True), seed=0)
    assert {path[0] for path in paths} == {"a"}
    assert len(paths) == 4


def test_a_path_stands_for_itself_and_diverse_for_all(suite):
    assert training_paths(suite, "a1", 0) == ["a1"]
    assert training_paths(suite, "diverse", 0) == list(suite.paths)
    assert not is_diverse("a1")
    assert is_diverse(sweep_name(2, one_family=True))


def test_probes_of_recall_stand_beside_the_generated_suite_and_are_strange_to_its_training(tmp_path):
    for _ in range(2):
        suite = open_study_suite("builtin+recall", tmp_path)
        probes, on_dev = suite.load(suite.select(["recall"])), suite.load(suite.select(["dev"])[-9:])
        assert (len(probes), len(on_dev)) == (18, 9)
    trained = {word for task in suite.load(suite.select(["train"])[:3]) for e in task.train for word in e.input.split()}
    for task in (*probes, *on_dev):
        meaning = {example.input: example.output for example in task.test}
        assert all(meaning[example.input] == example.output for example in task.train)
        assert not trained & meaning.keys()
    assert {task.name for task in probes}.isdisjoint(task.name for task in on_dev)
    assert {suite.role(path) for path in suite.select(["recall"])} == {"held_out"}


def test_general_text_is_prose_of_the_generated_world_or_a_file(tmp_path):
    place = study_text("builtin", tmp_path)
    assert len(open_corpus(place).documents) == 200
    assert study_text("builtin", tmp_path) == place
    assert study_text("novel.txt", tmp_path) == "novel.txt"
    assert study_text(None, tmp_path) is None
