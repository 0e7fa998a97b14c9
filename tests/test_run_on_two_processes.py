"""A run under torchrun: both processes train, one writes, and what is written is what one process alone would have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from manyshot.files import read_json, read_lines
from manyshot.run import Run
from tests.small_run import make_suite, recipe

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of a run by two processes of one row each, and of one process of two rows."""
    root = tmp_path_factory.mktemp("runs")
    suite = make_suite(root / "suite")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = ["-m", "tests.small_run", str(suite), str(root / "two"), "1"]
    done = subprocess.run([*launch, *script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    Run(recipe(suite, rows=2), root / "one").execute()
    return root


def test_two_processes_make_the_model_of_one(runs):
    two, one = (load_file(runs / name / "model" / "model.safetensors") for name in ("two", "one"))
    start = load_file(runs / "one" / "base" / "model.safetensors")
    assert any(not torch.equal(start[key], one[key]) for key in one)
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-6, rtol=1e-5)


def test_every_line_of_the_records_is_there_once(runs):
    two, one = (
        [(row["stage"], row.get("step"), row.get("tokens")) for _, row in read_lines(runs / name / "metrics.jsonl")]
        for name in ("two", "one")
    )
    assert len(two) == 5
    assert two == one
    scores = [
        [{k: v for k, v in row.items() if k != "score"} for _, row in read_lines(runs / name / "scores.jsonl")]
        for name in ("two", "one")
    ]
    assert scores[0] == scores[1]


def test_held_out_tasks_are_read_as_often_as_by_one(runs):
    two, one = (read_json(runs / name / "manifest.json") for name in ("two", "one"))
    assert two["held_out_reads"] == one["held_out_reads"] == 2
    assert two["stages"] == one["stages"]


def test_both_processes_return_the_summary_and_one_speaks(runs):
    first, second = (read_json(runs / f"two-rank{rank}.json") for rank in (0, 1))
    assert first["summary"] == second["summary"] == read_json(runs / "two" / "summary.json")
    assert first["said"]
    assert second["said"] == []


def test_both_leave_the_same_files(runs):
    def names(folder):
        return sorted(
            str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file() and "rng_state" not in f.name
        )

    assert names(runs / "two") == names(runs / "one")
