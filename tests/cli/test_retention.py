"""`manyshot retention` on tiny models: what it writes agrees with the records, and mistakes are named."""

import json
import shutil
from pathlib import Path

import pytest

from manyshot.files import read_lines
from manyshot.tasks import save_task
from tests import tiny
from tests.cli.test_bad_input import fails, run


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Two models of one architecture, a folder of tasks without splits, and a text."""
    root = tmp_path_factory.mktemp("retention")
    for seed, name in enumerate(("before", "after")):
        tiny.model("llama", seed=seed).save_pretrained(root / name)
        tiny.tokenizer().save_pretrained(root / name)
    for i in range(2):
        save_task(tiny.word_task(f"words{i}", n_train=30, n_test=6, seed=i), root / "tasks" / f"words{i}")
    save_task(tiny.copy_task(), root / "tasks" / "copy")
    (root / "text.txt").write_text("A green river.\n\n" * 40)
    return root


def retention(world, before, after, out, *more) -> tuple[dict, str]:
    arguments = ("--tasks", world / "tasks", "--shots", "0,4", "--draws", "2", "--limit", "5", "--out", world / out)
    done = run("retention", str(world / before), str(world / after), *map(str, (*arguments, *more)))
    assert done.returncode == 0, done.stderr
    return json.loads((world / out / "retention.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def compared(world):
    more = ("--target", "words0", "--text", world / "text.txt", "--more", f"same={world / 'before'}")
    return retention(world, "before", "after", "compared", *more)


def test_the_same_model_twice_lost_exactly_nothing(compared):
    same = compared[0]["models"]["same"]
    assert set(same["relative_drop"].values()) == {0}
    assert same["icl_drop"] in (0, None)
    assert same["general_bits_per_byte_change"] == 0
    assert (same["target_gain"], same["target_icl_gain"]) == (0, 0)
    assert same["held_out"] == same["held_out_before"]
    assert same["format_ratio"] == same["format_ratio_before"]


def test_the_curve_of_foreign_tasks_is_that_of_their_scores(world, compared):
    """One family each: the mean of words1 and copy over both draws."""
    tuned = compared[0]["models"]["tuned"]
    assert tuned["tasks"] == ["copy", "words1"]
    scores = [row for _, row in read_lines(world / "compared" / "scores.jsonl")]
    for k in (0, 4):
        mine = [s["score"] for s in scores if (s["method"], s["shots"]) == ("tuned", k) and s["task"] in tuned["tasks"]]
        assert len(mine) == 4
        assert tuned["held_out"][str(k)] == pytest.approx(sum(mine) / 4, abs=1e-6)


def test_the_target_is_the_task_that_was_named_and_no_foreign_one(world, compared):
    tuned = compared[0]["models"]["tuned"]
    assert tuned["target_tasks"] == ["words0"]
    scores = [row for _, row in read_lines(world / "compared" / "scores.jsonl") if row["task"] == "words0"]
    at_zero = {m: [s["score"] for s in scores if s["method"] == m and s["shots"] == 0] for m in ("base", "tuned")}
    expected = sum(at_zero["tuned"]) / 2 - sum(at_zero["base"]) / 2
    assert tuned["target_gain"] == pytest.approx(expected, abs=1e-6)


def test_labels_are_also_generated_and_only_those_outputs_have_a_form(world, compared):
    """The random models write no label by themselves, though from a list of labels they always choose one."""
    lines = [row for _, row in read_lines(world / "compared" / "predictions.jsonl")]
    free = {p["prediction"] for p in lines if p["method"] == "tuned@free"}
    assert free
    assert not free & set(tiny.LABELS)
    assert compared[0]["models"]["tuned"]["format_ratio"] == 0


def test_the_table_shows_every_model_once_in_each_part(compared):
    shown = compared[1][compared[1].index("foreign tasks (2)") :]
    assert [shown.count(f"\n{name} ") for name in ("base", "tuned", "same")] == [2, 2, 2]
    assert "ICL drop" in shown


def test_a_finished_comparison_loads_no_model_again(world, compared):
    moved = shutil.move(world / "after" / "model.safetensors", world / "elsewhere.safetensors")
    try:
        more = ("--target", "words0", "--text", world / "text.txt", "--more", f"same={world / 'before'}")
        again, _ = retention(world, "before", "after", "compared", *more)
    finally:
        shutil.move(moved, world / "after" / "model.safetensors")
    assert again == compared[0]


def test_without_a_target_the_training_tasks_of_the_suite_are_it(world, tmp_path):
    shutil.copytree(world / "tasks", tmp_path / "suite")
    (tmp_path / "suite" / "suite.json").write_text(json.dumps({"train": ["words0"], "held_out": ["words1"]}))
    more = ("--tasks", tmp_path / "suite", "--no-generate", "--out", tmp_path / "out")
    done = run("retention", *map(str, (world / "before", world / "after", "--shots", "0,4", "--limit", "4", *more)))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "retention.json").read_text())["models"]["tuned"]
    assert (found["tasks"], found["target_tasks"], found["format_ratio"]) == (["words1"], ["words0"], None)


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--shots", "4,16"), ["--shots 4,16", "0,16"]),
        (("--target", "word0"), ['--target "word0"', 'did you mean "words0"?']),
        (("--target", "words0,words1,copy"), ["all 3 tasks", "--target"]),
        (("--more", "third"), ['--more "third"', "NAME=PATH"]),
        (("--more", "tuned=x"), ['"tuned" is taken']),
    ],
)
def test_mistakes_are_named(world, tmp_path, arguments, saying):
    models = (str(world / "before"), str(world / "after"), "--tasks", str(world / "tasks"))
    fails("retention", *models, *arguments, "--out", str(tmp_path / "out"), saying=saying)
    assert not (tmp_path / "out").exists()
