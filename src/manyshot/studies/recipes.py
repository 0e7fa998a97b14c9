"""The recipe of one training of a study: methods differ in what their stage says, and in nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyshot.models import load_tokenizer
from manyshot.recipe import Recipe, make_recipe
from manyshot.stage_data import build_dataset
from manyshot.studies.preset import StudyPreset
from manyshot.tasks import Suite

_MEASURED_ROWS = 200


def training_recipe(
    preset: StudyPreset,
    suite: Suite,
    stage: Mapping[str, Any],
    *,
    tasks: Sequence[str],
    strange: Sequence[str],
    learning_rate: float,
    steps: int,
    seed: int,
) -> Recipe:
    """Return the recipe of one training on `tasks`, which must share no texts with the `strange` ones.

    Every method sees about `preset.step_tokens` tokens a step: how many rows that is, is measured on its first rows.
    """
    data = stage.get("data", {})
    stage = {**stage, "data": {**data, "tasks": list(tasks)}}

    def recipe(arguments: dict[str, Any]) -> Recipe:
        return make_recipe(
            {
                "suite": {"path": str(suite.root)},
                "model": {"path": preset.model},
                "stages": [{**stage, "training": {"args": arguments}}],
                "evaluation": {"tasks": list(strange)},
                "seed": seed,
            }
        )

    rows = build_dataset(
        recipe({"max_steps": 1}).stages[0],
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
    return recipe(
        {
            "max_steps": steps,
            "per_device_train_batch_size": round(n_rows / accumulate),
            "gradient_accumulation_steps": accumulate,
            "learning_rate": learning_rate,
            "warmup_steps": max(1, steps // 20),
            "logging_steps": max(1, steps // 10),
            "save_steps": max(50, steps // 4),
            "save_total_limit": 1,
            **preset.training,
        }
    )
