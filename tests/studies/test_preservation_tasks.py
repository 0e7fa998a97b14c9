from itertools import pairwise

import pytest

from manyshot.errors import TaskError
from manyshot.files import write_json
from manyshot.studies.preservation_mmlu import CATEGORIES, write_mmlu_suite
from manyshot.studies.preservation_tasks import is_diverse, sweep_name, training_paths
from manyshot.tasks import Example, Task, open_suite, save_task


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


def exam(subjects, n):
    return [Example(f"subject: {s}\nQuestion {s} {i}?", "AB"[i % 2]) for s in subjects for i in range(n)]


def test_the_tuned_category_shares_no_row_with_what_is_judged(tmp_path):
    source, subjects = tmp_path / "source", [s for c in CATEGORIES.values() for s in c]
    task = Task("mmlu", "qa", "Choose.", "accuracy", ("A", "B"), exam(subjects, 24), exam(subjects, 8))
    save_task(task, source / "qa" / "mmlu")
    save_task(
        Task("chat", "general", "", "exact_match", None, exam(["x"], 2), exam(["x"], 1)), source / "general" / "chat"
    )
    write_json(source / "suite.json", {"train": ["qa/mmlu"], "general": ["general/chat"]})
    suite = open_suite(write_mmlu_suite(source, tmp_path / "made"))
    assert suite.splits["train"] == ("humanities/all",)
    assert suite.splits["general"] == ("general/chat",)
    inputs = {
        split: {e.input for t in suite.load(suite.splits[split]) for e in (*t.train, *t.test)} for split in suite.splits
    }
    assert not inputs["train"] & (inputs["dev"] | inputs["held_out"])
    assert not inputs["dev"] & inputs["held_out"]
    # nothing is left out, but what every subject keeps to itself
    assert len(inputs["train"] | inputs["dev"] | inputs["held_out"]) == len(
        {e.input for e in (*task.train, *task.test)}
    )
    assert write_mmlu_suite(tmp_path / "gone", tmp_path / "made") == tmp_path / "made"


def test_an_input_without_a_known_subject_is_refused(tmp_path):
    task = Task("mmlu", "qa", "Choose.", "accuracy", ("A", "B"), exam(["alchemy"], 24), exam(["alchemy"], 8))
    save_task(task, tmp_path / "qa" / "mmlu")
    with pytest.raises(TaskError, match='"alchemy" is no subject'):
        write_mmlu_suite(tmp_path, tmp_path / "made")
