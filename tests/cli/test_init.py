"""From a csv to a tuned model, an evaluation and a prediction; what is malformed is named and nothing half is written."""

import json
import random
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

from manyshot.cli import app
from manyshot.errors import TaskError
from manyshot.recipe import load_recipe
from manyshot.tasks import load_task
from tests import tiny

COLOURS = "red green blue black white".split()
COLUMNS = ("--input-column", "text", "--output-column", "label")


@pytest.fixture
def table(tmp_path) -> Path:
    """300 rows, 5 labels; lines 18 and 204 are malformed."""
    rng = random.Random(0)
    rows = [f"the {colour} thing {i},{colour}" for i in range(300) for colour in [rng.choice(COLOURS)]]
    rows[16], rows[202] = "one, two, three", "no answer,"
    place = tmp_path / "colours.csv"
    place.write_text("\n".join(["text,label", *rows]) + "\n")
    return place


def call(*arguments, fails: bool = False):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert (done.exit_code != 0) == fails, done.output
    return done


def test_a_csv_becomes_a_tuned_model_an_evaluation_and_a_prediction_in_five_commands(table, tmp_path):
    model = tmp_path / "model"
    tiny.model("llama").save_pretrained(model)
    tiny.tokenizer().save_pretrained(model)
    made, run = tmp_path / "made", tmp_path / "run"

    refused = call("init", table, *COLUMNS, "--labels", "auto", "--out", made, "--model", model, fails=True)
    assert isinstance(refused.exception, TaskError)
    assert f"{table}:18: 3 fields" in refused.output
    assert f'{table}:204: field "label" is empty' in refused.output
    assert not made.exists()

    call("init", table, *COLUMNS, "--labels", "auto", "--out", made, "--model", model, "--skip-bad-rows")
    task = load_task(made)
    assert (len(task.train) + len(task.test), len(task.test)) == (298, 60)
    assert set(task.labels or ()) == set(COLOURS)

    small = ["training.args.max_steps=2", "evaluation.limit=3", "evaluation.draws=1", "evaluation.shots=[0,2]"]
    call("train", made / "recipe.yaml", "--out", run, *(word for one in small for word in ("-s", one)))
    arguments = ("--shots", "0,2", "--draws", 1, "--limit", 4, "--out", tmp_path / "eval")
    call("eval", run / "model", "--tasks", made, *arguments)
    summary = json.loads((tmp_path / "eval" / "summary.json").read_text())
    assert list(summary["methods"]) == ["model"]
    said = call("predict", run / "model", "the green thing", "--task", made, "--shots", 4).output
    assert said.strip() in COLOURS


def test_the_recipe_names_the_bundled_model_unless_told_otherwise_and_is_valid(table, tmp_path):
    call("init", table, *COLUMNS, "--out", tmp_path / "made", "--skip-bad-rows")
    recipe = load_recipe(tmp_path / "made" / "recipe.yaml")
    assert recipe.model.path == "bundled"
    assert Path(recipe.suite.path) == tmp_path / "made"


def test_the_same_seed_writes_the_same_bytes(table, tmp_path):
    for name in ("a", "b"):
        call("init", table, *COLUMNS, "--out", tmp_path / name, "--skip-bad-rows", "--seed", 3)
    for file in ("task.json", "train.jsonl", "test.jsonl", "recipe.yaml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_folder_that_holds_something_is_left_alone(table, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.txt").write_text("dear")
    done = call("init", table, *COLUMNS, "--out", tmp_path / "made", "--skip-bad-rows", fails=True)
    assert "not empty" in str(done.exception)
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["thesis.txt"]


def test_without_a_terminal_missing_columns_are_asked_for_in_the_error(table, tmp_path):
    done = call("init", table, "--out", tmp_path / "made", fails=True)
    assert "--input-column" in str(done.exception)
    assert "text, label" in str(done.exception)


def test_on_a_terminal_four_questions_are_asked(table, tmp_path, monkeypatch):
    monkeypatch.setattr("manyshot.cli.init.on_terminal", lambda: True)
    answers = f"text\nlabel\n\n{tmp_path / 'made'}\n"
    done = CliRunner().invoke(app, ["init", str(table), "--skip-bad-rows"], input=answers)
    assert done.exit_code == 0, done.output
    assert done.output.count("?") == 4
    assert len(load_task(tmp_path / "made").labels or ()) == 5


def test_free_text_has_no_labels_and_a_metric_of_its_own(tmp_path):
    place = tmp_path / "sums.jsonl"
    place.write_text("".join(json.dumps({"input": f"{i} + 1", "output": i + 1}) + "\n" for i in range(20)))
    call("init", place, "--labels", "none", "--out", tmp_path / "made")
    task = load_task(tmp_path / "made")
    assert (task.labels, task.metric) == (None, "numeric")
    assert {e.output for e in (*task.train, *task.test)} == {str(i + 1) for i in range(20)}


def test_conversations_are_taken_without_naming_their_column(tmp_path):
    talks = [[{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i}\nb"}] for i in range(10)]
    place = tmp_path / "talks.jsonl"
    place.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
    call("init", place, "--out", tmp_path / "made", "--test-share", 0.3)
    task = load_task(tmp_path / "made")
    assert {(e.input, e.output) for e in (*task.train, *task.test)} == {(f"q{i}", f"a{i}\nb") for i in range(10)}
    assert task.template.stop not in "a0\nb"


def test_a_task_for_a_chat_model_says_so_itself_so_that_every_verb_agrees(table, tmp_path):
    options = ("--skip-bad-rows", "--chat", "system", "--instruction", "Name the colour.")
    call("init", table, *COLUMNS, "--out", tmp_path / "made", *options)
    task = load_task(tmp_path / "made")
    assert (task.template.chat, task.template.prompt, task.instruction) == ("system", "{input}", "Name the colour.")
    assert load_task(tmp_path / "made", chat="user") == task


# ---- multiple choice

QUIZ = ("--input-column", "question", "--output-column", "answer")
EIGHT = [{"question": f"q{i}", "choices": [f"a{i}", f"b{i}", f"c{i}"], "answer": i % 2} for i in range(8)]


def jsonl(place: Path, rows) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


def test_choices_stand_in_the_input_and_all_their_letters_are_labels(tmp_path):
    place = jsonl(tmp_path / "quiz.jsonl", EIGHT)
    call("init", place, *QUIZ, "--choices-column", "choices", "--out", tmp_path / "made")
    task = load_task(tmp_path / "made")
    # C is shown and never right
    assert (task.labels, task.metric) == (("A", "B", "C"), "accuracy")
    wanted = {(f"q{i}\n(A) a{i}\n(B) b{i}\n(C) c{i}", "AB"[i % 2]) for i in range(8)}
    assert {(e.input, e.output) for e in (*task.train, *task.test)} == wanted


@pytest.mark.parametrize("column", ["choices", "options", "endings"])
def test_choices_that_nobody_spoke_of_are_not_lost_in_silence(tmp_path, column):
    place = jsonl(
        tmp_path / "quiz.jsonl",
        [{"question": row["question"], column: row["choices"], "answer": "xy"[row["answer"]]} for row in EIGHT],
    )
    done = call("init", place, *QUIZ, "--out", tmp_path / "made", fails=True)
    assert f"--choices-column {column}" in str(done.exception)
    assert not (tmp_path / "made").exists()
    call("init", place, *QUIZ, "--choices-column", "none", "--out", tmp_path / "made")
    assert {e.input for e in load_task(tmp_path / "made").train} <= {f"q{i}" for i in range(8)}


# ---- splits without answers


@pytest.mark.parametrize("has_validation", [True, False])
def test_a_test_split_without_answers_is_passed_over_and_named(tmp_path, has_validation):
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.csv").write_text("text,label\n" + "".join(f"t{i},{'ab'[i % 2]}\n" for i in range(10)))
    (data / "test.csv").write_text("text,label\nx,\ny,\n")
    if has_validation:
        (data / "validation.csv").write_text("text,label\nv0,a\nv1,b\n")
    done = call("init", data, *COLUMNS, "--out", tmp_path / "made")
    queries = {e.input for e in load_task(tmp_path / "made").test}
    assert queries == {"v0", "v1"} if has_validation else queries <= {f"t{i}" for i in range(10)}
    assert f"{data / 'test.csv'}: none of its rows can be scored" in done.output
    call("init", data, *COLUMNS, "--out", tmp_path / "named", "--test-split", "test", fails=True)


# ---- conversations with a system turn


def talk(i: int, system: str | None) -> dict:
    turns = [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": f"a{i % 2}"}]
    return {"messages": [{"role": "system", "content": system}, *turns] if system else turns}


def test_a_system_text_that_all_share_becomes_the_instruction(tmp_path):
    place = jsonl(tmp_path / "talks.jsonl", [talk(i, "Be brief.") for i in range(8)])
    done = call("init", place, "--out", tmp_path / "made")
    task = load_task(tmp_path / "made")
    assert task.instruction == "Be brief."
    assert {(e.input, e.output) for e in (*task.train, *task.test)} == {(f"q{i}", f"a{i % 2}") for i in range(8)}
    assert "flattened" not in done.output


@pytest.mark.parametrize(
    ("systems", "options", "n"),
    [
        (["Be brief."] * 7 + ["Be long."], (), 8),
        (["Be brief."] * 3 + [None] * 5, (), 3),
        (["Be."] * 8, ("--instruction", "Go."), 8),
    ],
)
def test_system_texts_of_their_own_stay_in_the_input_and_are_counted(tmp_path, systems, options, n):
    place = jsonl(tmp_path / "talks.jsonl", [talk(i, system) for i, system in enumerate(systems)])
    done = call("init", place, "--out", tmp_path / "made", *options)
    task = load_task(tmp_path / "made")
    inputs = {e.input for e in (*task.train, *task.test)}
    assert inputs == {f"System: {s}\nUser: q{i}" if s else f"q{i}" for i, s in enumerate(systems)}
    assert task.instruction == (options[1] if options else "")
    assert f"{n} of 8 conversations" in done.output


# ---- what is printed and proposed


def test_the_printed_prediction_takes_its_text_as_text_though_it_begins_like_an_option(tmp_path):
    place = jsonl(tmp_path / "sums.jsonl", [{"input": f"-{i} + 1", "output": f"{1 - i}"} for i in range(8)])
    done = call("init", place, "--labels", "none", "--out", tmp_path / "made")
    _, verb, *arguments = shlex.split(next(line for line in done.output.splitlines() if "manyshot predict" in line))
    command = get_command(app).commands[verb]
    parsed = command.make_context(verb, arguments).params
    assert parsed["texts"] == [load_task(tmp_path / "made").test[0].input]
    assert parsed["task"] == tmp_path / "made"


def test_the_proposed_folder_is_named_after_the_file_though_its_path_holds_spaces(table, tmp_path, monkeypatch):
    monkeypatch.setattr("manyshot.cli.init.on_terminal", lambda: True)
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "my data" / "my colours.CSV"
    place.parent.mkdir()
    table.rename(place)
    done = CliRunner().invoke(app, ["init", str(place), "--skip-bad-rows"], input="text\nlabel\n\n\n")
    assert done.exit_code == 0, done.output
    assert load_task(tmp_path / "my_colours").name == "my_colours"


def test_a_stop_text_of_another_kind_is_said(tmp_path):
    place = jsonl(tmp_path / "notes.jsonl", [{"input": f"i{i}", "output": f"a\n###\nb{i}"} for i in range(8)])
    done = call("init", place, "--labels", "none", "--out", tmp_path / "made")
    task = load_task(tmp_path / "made")
    assert repr(task.template.stop) in done.output
    assert all(task.template.parse_answer(e.output + task.template.stop) == e.output for e in task.train)


def test_a_data_set_with_a_test_split_keeps_it(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    (tmp_path / "data").mkdir()
    for split, texts in (("train", ["a", "b", "c", "d"]), ("test", ["B", "e"])):
        data = {"text": texts, "label": [i % 2 for i in range(len(texts))]}
        datasets.Dataset.from_dict(data, features=features).to_parquet(tmp_path / "data" / f"{split}.parquet")
    done = call("init", f"hub:{tmp_path / 'data'}", *COLUMNS, "--out", tmp_path / "made", "--name", "mine")
    task = load_task(tmp_path / "made")
    assert [(e.input, e.output) for e in task.test] == [("B", "neg"), ("e", "pos")]
    # "b" is a query's input but for its case
    assert [e.input for e in task.train] == ["a", "c", "d"]
    assert "left out 1 training rows" in done.output
    assert task.labels == ("neg", "pos")
    assert yaml.safe_load((tmp_path / "made" / "recipe.yaml").read_text())["suite"] == {"path": "."}
