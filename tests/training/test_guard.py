"""The guard ends a training that loses too much, and goes back to the right step."""

import copy
import json

import pytest
import torch

from manyshot.errors import RunError
from manyshot.training import GUARD, Guard, GuardOptions, newest_complete
from tests import tiny
from tests.training.small import EXACT, assert_same, rows, trainer, weights

RATE = 0.02
FOREIGN = torch.tensor([[4, 8, 15, 16, 23, 42, 7, 9, 11, 30]])


def agreement():
    """A probe without a benchmark: what part of the start's predictions on foreign text is left, 1 at the start."""
    with torch.no_grad():
        before = tiny.model("llama")(FOREIGN).logits.softmax(-1)

    def probe(model):
        assert not model.training
        torch.rand(3)
        with torch.no_grad():
            return torch.minimum(before, model(FOREIGN).logits.softmax(-1)).sum(-1).mean().item()

    return probe


def one_task():
    data = rows(96, budget_tokens=60)
    return [data[n] for n in range(96)]


def guarded(folder, rate, steps=24, every=4, model=None, probe=None, limit=0.2, **fields):
    """Return (model, guard, trainer), not yet trained."""
    model, lines = model or tiny.model("llama"), []
    options = GuardOptions(every_steps=every, max_drop=limit, **fields)
    guard = Guard(probe or agreement(), options, folder, folder / "kept", say=lines.append)
    settings = {**EXACT, "learning_rate": rate, "max_steps": steps}
    made = trainer(model, folder / "checkpoints", data=one_task(), callbacks=[guard], **settings)
    return model, guard, made, lines


def curve(folder):
    return [json.loads(line) for line in (folder / GUARD).read_text().splitlines()]


def plain(folder, rate, steps):
    """The weights of the same training without a guard, ended after some steps."""
    model = tiny.model("llama")
    if steps:
        trainer(model, folder, data=one_task(), **{**EXACT, "learning_rate": rate, "max_steps": steps}).train()
    return weights(model)


def test_thirty_times_the_learning_rate_is_stopped_and_the_last_step_within_the_limit_is_kept(tmp_path):
    model, guard, made, lines = guarded(tmp_path / "fast", 30 * RATE)
    made.train()
    found = curve(tmp_path / "fast")
    assert guard.stopped_at is not None
    assert made.state.global_step == guard.stopped_at == found[-1]["step"] < 24
    assert [row["within"] for row in found] == [True] * (len(found) - 1) + [False]
    assert guard.kept_step == found[-2]["step"]
    assert_same(weights(model), plain(tmp_path / "again", 30 * RATE, guard.kept_step))
    assert any(f"stopped at step {guard.stopped_at}" in line and f"step {guard.kept_step}" in line for line in lines)


def test_the_usual_learning_rate_is_left_alone_and_so_are_its_bits(tmp_path):
    """The probe draws random numbers and switches to eval mode; training notices neither."""
    model, guard, made, _ = guarded(tmp_path / "slow", RATE, steps=10)
    made.train()
    assert guard.stopped_at is None
    assert [row["step"] for row in curve(tmp_path / "slow")] == [0, 4, 8, 10]
    assert_same(weights(model), plain(tmp_path / "again", RATE, 10))


def test_the_curve_is_the_probes_own_values(tmp_path):
    probe = agreement()
    _, _, made, _ = guarded(tmp_path / "a", RATE, steps=8)
    made.train()
    start, at_4, _ = curve(tmp_path / "a")
    model = tiny.model("llama")
    assert start["value"] == pytest.approx(probe(model), abs=1e-5)
    model.load_state_dict(plain(tmp_path / "to-4", RATE, 4), strict=False)
    assert at_4["value"] == pytest.approx(probe(model), abs=1e-5)
    assert at_4["drop"] == pytest.approx(1 - at_4["value"] / start["value"], abs=1e-5)
    assert at_4["drop"] > 0


def test_keep_stop_leaves_the_model_as_it_stands(tmp_path):
    model, guard, made, _ = guarded(tmp_path / "fast", 30 * RATE, keep="stop")
    made.train()
    assert guard.stopped_at is not None
    assert_same(weights(model), plain(tmp_path / "again", 30 * RATE, guard.stopped_at))


def scripted(values):
    """A probe that gives these values one after another."""
    left = iter(values)
    return lambda model: next(left)


def test_a_drop_at_the_limit_is_within_it_and_the_first_probe_beyond_ends_training(tmp_path):
    _, guard, made, _ = guarded(tmp_path, RATE, probe=scripted([0.8, 1.0, 0.6, 0.59, 0.9]), limit=0.25)
    made.train()
    assert (guard.stopped_at, guard.kept_step) == (12, 8)


def test_a_loss_at_the_very_first_probe_goes_back_to_the_start(tmp_path):
    model, guard, made, _ = guarded(tmp_path, RATE, probe=scripted([1.0, 0.1]))
    made.train()
    assert (guard.stopped_at, guard.kept_step) == (4, 0)
    assert_same(weights(model), weights(tiny.model("llama")))


def test_a_killed_run_goes_on_to_the_same_end(tmp_path):
    """Killed after step 10, with a checkpoint at 6 and a probe at 8: both are done again from 6 on."""
    values = [1.0, 0.95, 0.9, 0.5]
    model, first, whole, _ = guarded(tmp_path / "whole", RATE, probe=scripted(values))
    whole.train()

    class KilledError(Exception):
        pass

    def until(step):
        from transformers import TrainerCallback

        class Kill(TrainerCallback):
            def on_step_end(self, args, state, control, **kwargs):
                if state.global_step == step:
                    raise KilledError

        return Kill()

    folder = tmp_path / "killed"
    _, _, made, _ = guarded(folder, RATE, probe=scripted(values))
    made.args.save_strategy, made.args.save_steps = "steps", 6
    made.state.save_steps = 6
    made.add_callback(until(10))
    with pytest.raises(KilledError):
        made.train()
    checkpoint, _ = newest_complete(folder / "checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == "checkpoint-6"
    again, guard, made, _ = guarded(folder, RATE, probe=scripted(values[2:]))
    made.train(resume_from_checkpoint=checkpoint)
    assert curve(folder) == curve(tmp_path / "whole")
    assert (guard.stopped_at, guard.kept_step) == (first.stopped_at, first.kept_step) == (12, 8)
    assert_same(weights(again), weights(model))


def test_only_what_may_be_gone_back_to_is_stored(tmp_path):
    _, _, made, _ = guarded(tmp_path, RATE, steps=16, probe=scripted([1.0] * 5))
    made.train()
    # the last probe, and the start, since no checkpoint was written since
    assert sorted(f.name for f in (tmp_path / "kept").iterdir()) == [
        "guard-step-0.safetensors",
        "guard-step-16.safetensors",
    ]


def test_a_model_with_nothing_to_lose_is_refused(tmp_path):
    _, _, made, _ = guarded(tmp_path, RATE, probe=scripted([0.0]))
    with pytest.raises(RunError, match=r"before training is 0\.000.*training\.guard\.tasks"):
        made.train()


def test_a_resumed_run_without_the_probe_of_its_start_is_refused(tmp_path):
    model, guard, made, _ = guarded(tmp_path, RATE, probe=scripted([1.0]))
    made.state.global_step = 5
    with pytest.raises(RunError, match="probe of the start is missing"):
        guard.on_train_begin(made.args, made.state, made.control, model=copy.deepcopy(model))
