"""The guard on the bundled model: the probe that a recipe asks for, on dev tasks of the suite that comes along."""

import pytest
import torch
from safetensors.torch import load_file

from manyshot.files import read_lines
from manyshot.models import load_model
from manyshot.recipe import make_recipe
from manyshot.run import Run
from manyshot.stage_data import build_probe, guard_tasks
from manyshot.tasks import open_suite
from manyshot.tasks.builtin import write_suite
from manyshot.training import GUARD

pytestmark = pytest.mark.slow

# full tuning of the bundled model learns a task at this rate (presets/preservation/tiny.yaml)
RATE, STEPS = 1e-3, 12


def test_thirty_times_a_sensible_rate_is_stopped_and_the_model_is_that_of_the_kept_step(tmp_path):
    suite = open_suite(write_suite(tmp_path / "tasks"))
    args = {
        "max_steps": STEPS,
        "learning_rate": 30 * RATE,
        "lr_scheduler_type": "constant_with_warmup",
        "save_steps": 1,
    }
    args |= {"per_device_train_batch_size": 8, "bf16": False, "use_cpu": True}
    guard = {"every_steps": 1, "max_drop": 0.5, "tasks": ["mood_dev_0", "plain_phrase_dev_0"], "shots": 8, "limit": 15}
    recipe = make_recipe(
        {
            "suite": {"path": str(suite.root), "leaks": "report"},
            "model": {"path": "bundled"},
            "data": {
                "tasks": ["negation_train_0"],
                "episodes": {"budget_tokens": 256},
                "mix": {"icl_format": 0.0},
            },
            "training": {"args": args, "guard": guard},
            "evaluation": {"tasks": ["mood_dev_0"], "shots": [0]},
        }
    )
    folder, lines = tmp_path / "run", []
    Run(recipe, folder, lines.append).train()
    curve = [row for _, row in read_lines(folder / GUARD)]
    assert [row["within"] for row in curve] == [True] * (len(curve) - 1) + [False]
    stopped, kept = curve[-1], curve[-2]
    assert 0 < kept["step"] < stopped["step"] < STEPS
    assert any(f"stopped at step {stopped['step']}" in line for line in lines)

    # the trainer's own checkpoints of the last two steps, against the model that is left
    final = load_file(folder / "model" / "model.safetensors")
    of_step = {
        row["step"]: load_file(folder / "checkpoints" / f"checkpoint-{row['step']}" / "model.safetensors")
        for row in (kept, stopped)
    }
    assert all(torch.equal(final[name], value) for name, value in of_step[kept["step"]].items())
    assert not all(torch.equal(final[name], value) for name, value in of_step[stopped["step"]].items())

    # and it scores on the dev tasks what the curve says
    loaded, options = load_model(str(folder / "model")), recipe.stages[0].training.guard
    probe = build_probe(options, guard_tasks(options, suite, []), loaded.tokenizer, recipe.seed)
    assert probe(loaded.model) == pytest.approx(kept["value"], abs=1e-4)
