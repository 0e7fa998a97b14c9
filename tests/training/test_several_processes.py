"""Two processes (gloo) train as one does: the denominator is the whole batch's, ranks included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from manyshot.files import read_json
from tests.training.one_of_many import train
from tests.training.small import assert_close

ROOT = Path(__file__).resolve().parents[2]
AVERAGINGS = ("token", "answer", "sequence", "preserved")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    script = ["-m", "tests.training.one_of_many", str(folder), ",".join(AVERAGINGS), "2"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launch, *script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    for averaging in AVERAGINGS:
        train(folder, averaging, 4)
    return folder


@pytest.mark.parametrize("averaging", AVERAGINGS)
def test_two_processes_take_the_steps_of_one(averaging, one_process, two_processes):
    two = read_json(two_processes / f"{averaging}.json")
    assert two["world"] == 2
    assert two["losses"] == pytest.approx(read_json(one_process / f"{averaging}.json")["losses"], rel=1e-5)
    weights = [torch.load(f / f"{averaging}.pt", weights_only=True) for f in (one_process, two_processes)]
    assert_close(*weights)


def test_tokens_and_answers_are_counted_over_all_processes(one_process, two_processes):
    assert read_json(two_processes / "token.json")["counts"] == read_json(one_process / "token.json")["counts"]


def test_the_evaluation_loss_does_not_grow_with_the_processes(one_process, two_processes):
    """Under sequence averaging the mean over batches of equal size is the mean over rows, however they are dealt out."""
    one, two = (read_json(f / "sequence.json")["eval"] for f in (one_process, two_processes))
    assert one is not None
    assert two == pytest.approx(one, rel=1e-5)
