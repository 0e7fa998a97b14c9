"""Each verb on a small real run: what it writes and prints, and that the pieces agree with each other."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyshot.cli import app
from manyshot.tasks import save_task
from tests import tiny
from tests.cli.test_bad_input import recipe, write


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A suite, a recipe, and a finished run."""
    root = tmp_path_factory.mktemp("world")
    for i in range(2):
        save_task(tiny.word_task(f"words{i}", n_train=30, n_test=6, seed=i), root / "suite" / f"words{i}")
    save_task(tiny.copy_task(), root / "suite" / "copy")
    (root / "suite" / "suite.json").write_text(json.dumps({"train": ["words0"], "held_out": ["words1", "copy"]}))
    place = write(root / "recipe.yaml", recipe(root / "suite"))
    done = CliRunner().invoke(app, ["train", place, "--out", str(root / "run")])
    assert done.exit_code == 0, done.output
    return root


def call(*arguments) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_run_leaves_every_file_of_the_format(world):
    names = (
        "recipe.yaml manifest.json metrics.jsonl timings.jsonl predictions.jsonl scores.jsonl summary.json report.html"
    )
    for name in names.split():
        assert (world / "run" / name).stat().st_size > 0
    assert (world / "run" / "checkpoints" / "checkpoint-2" / "complete.json").is_file()
    assert list((world / "run" / "figures").glob("*.svg"))
    summary = json.loads((world / "run" / "summary.json").read_text())
    assert set(summary["methods"]) == {"base", "tuned"}
    tuned = summary["methods"]["tuned"]
    assert {"held_out", "families", "tasks", "worst_draw", "ci95", "trained_tokens", "supervised_answers"} <= set(tuned)
    row = json.loads((world / "run" / "predictions.jsonl").read_text().splitlines()[0])
    fields = "method task shots actual_shots draw query prediction target correct logprob".split()
    assert list(row) == fields


def test_scores_follow_from_predictions(world):
    predictions = [json.loads(line) for line in (world / "run" / "predictions.jsonl").read_text().splitlines()]
    for line in (world / "run" / "scores.jsonl").read_text().splitlines():
        score = json.loads(line)
        key = ("method", "task", "shots", "draw")
        mine = [p["correct"] for p in predictions if all(p[k] == score[k] for k in key)]
        assert len(mine) == score["n"]
        assert score["score"] == pytest.approx(sum(mine) / len(mine), abs=1e-6)


def test_the_model_loads_with_plain_transformers(world):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(world / "run" / "model")
    tokenizer = AutoTokenizer.from_pretrained(world / "run" / "model")
    assert model(**tokenizer("Input: apple", return_tensors="pt")).logits.shape[-1] == len(tokenizer)


def test_a_finished_run_is_not_done_again(world):
    before = {p: p.stat().st_mtime_ns for p in (world / "run" / "model").iterdir()}
    scores = (world / "run" / "scores.jsonl").read_bytes()
    out = call("train", world / "recipe.yaml", "--out", world / "run")
    assert "resuming" in out
    assert before == {p: p.stat().st_mtime_ns for p in (world / "run" / "model").iterdir()}
    assert scores == (world / "run" / "scores.jsonl").read_bytes()


def test_inspect_marks_exactly_the_answers(world):
    out = call("inspect", world / "recipe.yaml", "--row", 3)
    marked = [piece.split("⟧")[0] for piece in out.split("⟦")[1:]]
    assert marked
    assert set(marked) <= {f" {label}\n" for label in tiny.LABELS}
    assert "all_answers" in out


def test_prompt_prints_the_text_and_ids_that_are_read(world):
    from transformers import AutoTokenizer

    out = call("prompt", world / "run" / "model", "new stone", "--task", world / "suite" / "words1", "--shots", 2)
    text, _, ids = out.rpartition("\n2 shots, ")
    ids = json.loads(ids.split(": ", 1)[1])
    assert AutoTokenizer.from_pretrained(world / "run" / "model").decode(ids) == text.rstrip("\n")
    assert text.count("Output:") == 3


def test_predict_answers_each_query_with_a_label(world):
    out = call(
        "predict",
        world / "run" / "model",
        "green piano",
        "old table",
        "--task",
        world / "suite" / "words1",
        "--shots",
        3,
    )
    assert [line in tiny.LABELS for line in out.split("\n") if line] == [True, True]


def test_eval_of_two_models_gives_their_difference(world):
    models = f"{world / 'run' / 'base'},{world / 'run' / 'model'}"
    arguments = ("--shots", "0,2", "--draws", "2", "--limit", "4", "--out", world / "compared")
    call("eval", models, "--tasks", world / "suite" / "words1", *arguments)
    summary = json.loads((world / "compared" / "summary.json").read_text())
    assert summary["base"] == "base"
    difference = summary["differences"]["model-base"]["held_out"]["2"]["mean"]
    scores = [summary["methods"][name]["held_out"]["2"] for name in ("model", "base")]
    assert difference == pytest.approx(scores[0] - scores[1], abs=1e-5)


def test_report_is_made_again_from_the_records_alone(world):
    page = world / "run" / "report.html"
    first = page.read_text()
    page.unlink()
    call("report", world / "run")
    assert page.read_text() == first
    fetching = ("src=", "<script", "<link", "@import", 'href="http')
    assert [word for word in fetching if word in first] == []


def test_tasks_lists_counts_and_balance(world):
    out = call("tasks", world / "suite")
    assert "words0" in out
    assert "3 labels" in out


def test_train_without_a_recipe_tunes_a_lora_adapter(world):
    arguments = ["-s", "training.args.max_steps=2", "-s", "evaluation.limit=2", "-s", "evaluation.shots=[0,1]", "-s"]
    arguments += ["evaluation.draws=1", "-s", "data.episodes.budget_tokens=128", "-s", "suite.leaks=report"]
    call(
        "train", "--model", world / "run" / "model", "--tasks", world / "suite", "--out", world / "adapter", *arguments
    )
    assert (world / "adapter" / "model" / "adapter_model.safetensors").is_file()
    call("predict", world / "adapter" / "model", "green piano", "--task", world / "suite" / "words1", "--shots", 1)
