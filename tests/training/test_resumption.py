"""A run killed at any moment and resumed leaves the bits that an uninterrupted one leaves."""

import os
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from manyshot.training import newest_complete
from tests.training.killed_runs import CASES, KILL_AFTER, KILL_IN_SAVE, SAVE_EVERY, STEPS, made_trainer
from tests.training.small import assert_same, weights

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folders of all killed runs, made by one script."""
    folder = tmp_path_factory.mktemp("killed")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.killed_runs", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    endings = dict(line.split() for line in done.stdout.splitlines() if line.split()[0] in CASES)
    assert endings == dict.fromkeys(CASES, str(int(signal.SIGKILL))), done.stderr[-2000:]
    return folder


@lru_cache
def uninterrupted(architecture, bf16, folder):
    case = next(name for name, (a, b, _) in CASES.items() if (a, b) == (architecture, bf16))
    made = made_trainer(case, folder)
    made.train()
    return made


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return lambda case: uninterrupted(*CASES[case][:2], folder / "-".join(case.split("-")[:2]))


def moments(made):
    """AdamW's state by parameter number and name."""
    state = made.optimizer.state_dict()["state"]
    return {f"{n}.{key}": value for n, fields in state.items() for key, value in fields.items()}


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_is_uninterrupted_bit_for_bit(case, killed, whole_run):
    expected = whole_run(case)
    in_save = CASES[case][2]
    checkpoint, ignored = newest_complete(killed / case)
    last = KILL_IN_SAVE - SAVE_EVERY if in_save else KILL_AFTER // SAVE_EVERY * SAVE_EVERY
    assert (checkpoint, ignored) == (killed / case / f"checkpoint-{last}", [])
    resumed = made_trainer(case, killed / case)
    resumed.train(resume_from_checkpoint=checkpoint)
    assert resumed.state.global_step == STEPS
    assert_same(weights(resumed.model), weights(expected.model))
    assert_same(moments(resumed), moments(expected))
    assert resumed.meter.state() == expected.meter.state()


def test_the_runs_of_this_page_draw_random_numbers(whole_run, tmp_path):
    """Otherwise equal bits would say nothing about the state of the generators."""
    other = made_trainer("gpt2-fp32-step", tmp_path, seed=1)
    other.train()
    with pytest.raises(AssertionError):
        assert_same(weights(other.model), weights(whole_run("gpt2-fp32-step").model))


def test_a_checkpoint_holds_the_weights_of_its_step(whole_run):
    """The last save is at the last step, so its file is the trained model."""
    made = whole_run("llama-fp32-step")
    saved = load_file(Path(made.args.output_dir) / f"checkpoint-{STEPS}" / "model.safetensors")
    state = made.model.state_dict()
    assert all(torch.equal(saved[name], state[name]) for name in saved)


def test_worker_processes_change_nothing(whole_run, tmp_path):
    with_workers = made_trainer("gpt2-fp32-step", tmp_path, dataloader_num_workers=2, save_strategy="no")
    with_workers.train()
    assert_same(weights(with_workers.model), weights(whole_run("gpt2-fp32-step").model))


def test_a_killed_run_resumes_with_worker_processes_too(whole_run, tmp_path):
    folder = Path(whole_run("gpt2-fp32-step").args.output_dir)
    resumed = made_trainer("gpt2-fp32-step", tmp_path, dataloader_num_workers=2, save_strategy="no")
    resumed.train(resume_from_checkpoint=folder / "checkpoint-4")
    assert_same(weights(resumed.model), weights(whole_run("gpt2-fp32-step").model))


def test_the_logged_losses_after_resumption_are_those_of_the_uninterrupted_run(whole_run, tmp_path):
    expected = whole_run("llama-fp32-step")
    checkpoint = Path(expected.args.output_dir) / "checkpoint-4"
    resumed = made_trainer("llama-fp32-step", tmp_path, save_strategy="no")
    resumed.train(resume_from_checkpoint=checkpoint)

    def losses(made):
        clocked = ("tokens_per_second", "answers_per_second")
        lines = [line for line in made.state.log_history if "loss" in line and line["step"] > 4]
        return [{key: value for key, value in line.items() if key not in clocked} for line in lines]

    assert len(losses(resumed)) == STEPS - 4
    assert losses(resumed) == losses(expected)
