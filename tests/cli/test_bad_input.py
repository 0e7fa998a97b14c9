"""Whatever a user gets wrong: one line that names place, value and next step, exit code 2, nothing lost."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from manyshot.cli import main
from manyshot.tasks import save_task
from tests import tiny


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("suite")
    for i in range(2):
        save_task(tiny.word_task(f"words{i}", n_train=20, n_test=4, seed=i), root / f"words{i}")
    (root / "suite.json").write_text(json.dumps({"train": ["words0"], "held_out": ["words1"]}))
    return root


def recipe(suite: Path, **changes) -> dict:
    return {
        "suite": {"path": str(suite), "leaks": "report"},
        "model": {
            "scratch": {
                "vocabulary": 400,
                "config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 8},
            }
        },
        "data": {"episodes": {"budget_tokens": 256}},
        "training": {"args": {"max_steps": 2, "save_steps": 1, "per_device_train_batch_size": 1}},
        "evaluation": {"shots": [0, 2], "draws": 1, "limit": 2},
        **changes,
    }


class Ended:
    """What a command left: its exit code and both outputs."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.returncode, self.stdout, self.stderr = code, out, err


def run(*arguments: str) -> Ended:
    """Run the command line in this process: starting Python anew costs seconds each time."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["manyshot", *arguments])
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


def fails(*arguments: str, saying: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    for words in saying:
        assert words in lines[0]


def test_an_error_is_one_line_and_exit_code_2_of_the_process():
    code = "from manyshot.cli import main; main()"
    command = [sys.executable, "-c", code, "tasks", "no/such/folder"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "no/such/folder" in done.stderr


def write(path: Path, value: dict) -> str:
    path.write_text(yaml.safe_dump(value))
    return str(path)


def spoil(suite: Path, tmp_path: Path, line: str) -> str:
    folder = tmp_path / "task"
    save_task(tiny.word_task(n_train=3, n_test=2), folder)
    with (folder / "train.jsonl").open("a") as file:
        file.write(line)
    return str(folder)


def test_a_missing_field_is_named_with_file_and_line(suite, tmp_path):
    fails("tasks", spoil(suite, tmp_path, '{"input": "x"}\n'), saying=["train.jsonl:4", '"output" is missing'])


def test_a_broken_json_line_is_named(suite, tmp_path):
    fails("tasks", spoil(suite, tmp_path, '{"input": "x", \n'), saying=["train.jsonl:4", "not valid JSON"])


def test_a_label_outside_the_list_is_named_with_the_nearest(suite, tmp_path):
    line = '{"input": "x", "output": "nort"}\n'
    fails("tasks", spoil(suite, tmp_path, line), saying=["train.jsonl:4", '"nort"', 'did you mean "north"?'])


def test_an_empty_file_is_named(suite, tmp_path):
    folder = spoil(suite, tmp_path, "")
    (Path(folder) / "train.jsonl").write_text("")
    fails("tasks", folder, saying=["train.jsonl", "no examples"])


def test_two_tasks_of_one_name_are_named(tmp_path):
    for place in ("a", "b"):
        save_task(tiny.word_task("same", n_train=3, n_test=2), tmp_path / place)
    fails("tasks", str(tmp_path), saying=['"same"', str(tmp_path / "a")])


def test_a_stop_text_inside_an_answer_is_named(suite, tmp_path):
    folder = Path(spoil(suite, tmp_path, ""))
    description = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps({**description, "template": {"stop": "o"}}))
    fails("tasks", str(folder), saying=["stop text 'o'", "template.stop"])


def test_examples_that_never_fit_the_budget_are_an_error(suite, tmp_path):
    value = recipe(suite, data={"episodes": {"budget_tokens": 8}})
    place = write(tmp_path / "recipe.yaml", value)
    fails("train", place, "--out", str(tmp_path / "out"), saying=["words0", "8 tokens", "episodes.budget_tokens"])


def test_an_unknown_recipe_key_is_named_with_the_nearest(suite, tmp_path):
    place = write(tmp_path / "recipe.yaml", recipe(suite, objective={"averageing": "token"}))
    fails("recipe", place, saying=["stages.tune.objective.averageing", 'did you mean "averaging"?'])


def test_an_unknown_training_field_is_named_with_the_nearest(suite, tmp_path):
    place = write(tmp_path / "recipe.yaml", recipe(suite))
    fails("recipe", place, "-s", "training.args.learning_rat=1", saying=['did you mean "learning_rate"?'])


def test_a_field_that_the_run_owns_is_refused_with_the_reason(suite, tmp_path):
    place = write(tmp_path / "recipe.yaml", recipe(suite))
    fails("recipe", place, "-s", "training.args.output_dir=x", saying=["output_dir", "the run folder decides"])


def test_a_run_folder_of_another_recipe_is_left_alone(suite, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "recipe.yaml").write_text("seed: 5\n")
    place = write(tmp_path / "recipe.yaml", recipe(suite))
    fails("train", place, "--out", str(out), saying=[str(out), "another recipe", "--out"])
    assert (out / "recipe.yaml").read_text() == "seed: 5\n"


def test_a_folder_of_other_things_is_left_alone(suite, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("dear")
    place = write(tmp_path / "recipe.yaml", recipe(suite))
    fails("train", place, "--out", str(tmp_path / "out"), saying=["not empty", "--out"])


def test_a_hub_name_without_network_is_explained(suite, tmp_path):
    arguments = ("eval", "someone/some-model", "--tasks", str(suite), "--out", str(tmp_path / "out"))
    fails(*arguments, saying=['"someone/some-model"', "Hub", "network"])


def test_a_half_written_checkpoint_is_named_and_the_run_goes_on(suite, tmp_path):
    place = write(tmp_path / "recipe.yaml", recipe(suite))
    torn = tmp_path / "out" / "checkpoints" / "checkpoint-1"
    assert run("train", place, "--out", str(tmp_path / "out")).returncode == 0
    for name in ("model", "summary.json", "scores.jsonl"):
        path = tmp_path / "out" / name
        path.rename(tmp_path / name)
    (torn.with_name("checkpoint-2") / "complete.json").unlink()
    done = run("train", place, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "checkpoint-2: not used" in done.stdout
    assert f"going on from {torn}" in done.stdout
    before, after = (p / "model" / "model.safetensors" for p in (tmp_path, tmp_path / "out"))
    assert before.read_bytes() == after.read_bytes()
