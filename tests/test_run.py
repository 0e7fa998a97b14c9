"""A run's account of time and of what it has read, kept over interruptions."""

import pytest

from manyshot.files import read_json, read_lines
from manyshot.recipe import make_recipe
from manyshot.run import Run
from manyshot.training import stopwatch
from tests.small_run import make_suite, recipe

A_STEP = 100.0


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    return make_suite(tmp_path_factory.mktemp("suite"))


class Clock:
    """A clock that a hundred seconds pass on with every step that training says it has made."""

    def __init__(self, monkeypatch):
        self.now, self.steps = 0.0, []
        monkeypatch.setattr(stopwatch, "perf_counter", lambda: self.now)

    def say(self, line):
        if line.startswith("step "):
            self.now += A_STEP
            self.steps.append(int(line.split()[1].split("/")[0]))


class Killed(Exception):  # noqa: N818
    """Not one of ours: the process ends."""


def seconds(folder):
    return read_json(folder / "summary.json")["methods"]["tuned"]["seconds"]


def test_a_run_counts_the_seconds_of_its_steps(suite, tmp_path, monkeypatch):
    Run(recipe(suite), tmp_path / "run", Clock(monkeypatch).say).execute()
    assert seconds(tmp_path / "run") == 4 * A_STEP


@pytest.mark.parametrize("last", [1, 3])
def test_a_killed_and_resumed_run_counts_the_seconds_behind_its_checkpoint(last, suite, tmp_path, monkeypatch):
    """Checkpoints are at 2 and 4. Killed after step 1 nothing stands; after step 3 two steps do and the third is done again."""
    clock = Clock(monkeypatch)

    def say(line):
        clock.say(line)
        if line.startswith(f"step {last}/"):
            raise Killed

    with pytest.raises(Killed):
        Run(recipe(suite), tmp_path / "run", say).execute()
    Run(recipe(suite), tmp_path / "run", clock.say).execute()
    assert clock.steps == ([1, 1, 2, 3, 4] if last == 1 else [1, 2, 3, 3, 4])
    assert seconds(tmp_path / "run") == 4 * A_STEP


def test_a_model_that_is_made_again_from_its_last_checkpoint_does_not_count_twice(suite, tmp_path, monkeypatch):
    folder, clock = tmp_path / "run", Clock(monkeypatch)
    Run(recipe(suite), folder, clock.say).execute()
    (folder / "model").rename(tmp_path / "model")
    (folder / "summary.json").unlink()
    Run(recipe(suite), folder, clock.say).execute()
    assert clock.steps == [1, 2, 3, 4]
    assert seconds(folder) == 4 * A_STEP
    lines = [row for _, row in read_lines(folder / "timings.jsonl")]
    assert sum(row.get("done", False) for row in lines) == 1


def test_held_out_tasks_are_counted_as_read_by_the_base_and_by_the_tuned_model(suite, tmp_path):
    Run(recipe(suite), tmp_path / "run").execute()
    assert read_json(tmp_path / "run" / "manifest.json")["held_out_reads"] == 2
    Run(recipe(suite), tmp_path / "run").execute()
    assert read_json(tmp_path / "run" / "manifest.json")["held_out_reads"] == 2


def test_rows_longer_than_the_model_was_made_for_are_said(suite, tmp_path):
    """128 tokens a row: one model was made for 100, the other for 4096."""
    for window, said in ((100, True), (4096, False)):
        value = recipe(suite, steps=1).model_dump(mode="json")
        value["model"]["scratch"]["config"]["max_position_embeddings"] = window
        value["evaluation"].update(shots=[0], draws=1, limit=1)
        lines = []
        Run(make_recipe(value), tmp_path / str(window), lines.append).train()
        assert any("rows are up to 128 tokens long, and the model was made for 100" in line for line in lines) is said
