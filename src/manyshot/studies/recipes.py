"""The recipe of one training of a ladder: methods differ in rows and targets, and in nothing else."""

from typing import Any

from manyshot.models import load_tokenizer
from manyshot.recipe import Recipe, make_recipe
from manyshot.stage_data import build_dataset
from manyshot.studies.methods import METHODS
from manyshot.studies.preset import LadderPreset
from manyshot.tasks import Suite

_MEASURED_ROWS = 200


def training_recipe(
    preset: LadderPreset, suite: Suite, method: str, learning_rate: float, seed: int, task: str | None = None
) -> Recipe:
    """Return the recipe of one training; `task` is a dedicated model's only one.

    Every method sees about `preset.step_tokens` tokens a step: how many rows that is, is measured on its first rows.
    """
    tasks = [task] if task else preset.train
    steps = preset.dedicated_steps if task else preset.steps
    stage: dict[str, Any] = METHODS[method].stage(preset.budget_tokens)
    stage["data"]["tasks"] = tasks
    draft = _recipe(preset, suite, stage, {"max_steps": 1}, seed, preset.held_out)
    rows = build_dataset(
        draft.stages[0],
        suite.load(suite.select(tasks)),
        load_tokenizer(preset.model),
        seed,
        n_rows=_MEASURED_ROWS,
    )
    mean_tokens = sum(len(rows[n]["input_ids"]) for n in range(_MEASURED_ROWS)) / _MEASURED_ROWS
    n_rows = max(1, round(preset.step_tokens / mean_tokens))
    # no more tokens at once than the widest method has
    at_once = max(1, min(n_rows, round(preset.rows_at_once * preset.budget_tokens / mean_tokens)))
    accumulate = -(-n_rows // at_once)
    arguments = {
        "max_steps": steps,
        "per_device_train_batch_size": round(n_rows / accumulate),
        "gradient_accumulation_steps": accumulate,
        "learning_rate": learning_rate,
        "warmup_steps": max(1, steps // 20),
        "logging_steps": max(1, steps // 20),
        "save_steps": max(50, steps // 4),
        "save_total_limit": 1,
        **preset.training,
    }
    # what is never judged on dev may be a dev task: only the report's tasks must be strange to it
    strange = preset.held_out if task else [*preset.dev, *preset.held_out]
    return _recipe(preset, suite, stage, arguments, seed, strange)


def _recipe(
    preset: LadderPreset,
    suite: Suite,
    stage: dict[str, Any],
    arguments: dict[str, Any],
    seed: int,
    strange: list[str],
) -> Recipe:
    return make_recipe(
        {
            "suite": {"path": str(suite.root)},
            "model": {"path": preset.model},
            "stages": [{**stage, "tuning": preset.tuning.model_dump(), "training": {"args": arguments}}],
            "evaluation": {"tasks": strange},
            "seed": seed,
        }
    )
