import pytest

from manyshot.errors import TaskError
from manyshot.files import write_json
from manyshot.studies.preservation.mmlu import CATEGORIES, write_mmlu_suite
from manyshot.tasks import Example, Task, open_suite, save_task


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
