"""The recipe of one training of a study: methods differ in what their stage says, and in nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyshot.models import load_tokenizer
from manyshot.objectives import weigh_row
from manyshot.recipe import Recipe, make_recipe
from manyshot.stage_data import build_dataset
from manyshot.studies.preset import StudyPreset
from manyshot.tasks import Suite

# enough for the mean of a mix in which one row in ten is many times longer
_MEASURED_ROWS = 2000


def answers_a_step(recipe: Recipe, suite: Suite) -> float:
    """Return how many answers an optimiser step of a training supervises, measured on its first rows."""
    stage = recipe.stages[0]
    tasks = suite.load(suite.select(stage.data.tasks))
    rows = build_dataset(stage, tasks, load_tokenizer(str(recipe.model.path)), recipe.seed, n_rows=_MEASURED_ROWS)
    weighed = (rows[n] for n in range(_MEASURED_ROWS))
    n_answers = sum(weigh_row(row["bounds"], len(row["input_ids"]), stage.objective).n_answers for row in weighed)
    args = stage.training.args
    rows_a_step = args["per_device_train_batch_size"] * args["gradient_accumulation_steps"]
    return n_answers / _MEASURED_ROWS * rows_a_step


def training_recipe(
    preset: StudyPreset,
    suite: Suite,
    stage: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    tasks: Sequence[str],
    strange: Sequence[str],
    learning_rate: float,
    steps: int,
    seed: int,
    leaks: str = "error",
) -> Recipe:
    """Return the recipe of one training on `tasks`, which must share no texts with the `strange` ones.

    `leaks` says what is done where they do, as `suite.leaks` in a recipe.

    Every method sees about `preset.step_tokens` tokens a step: how many rows that is, is measured on its first rows.
    Several stages share the steps; what one says of its own `training.args` goes before the common ones.
    """
    stages = [stage] if isinstance(stage, Mapping) else stage
    stages = [{**one, "data": {**one.get("data", {}), "tasks": list(tasks)}} for one in stages]

    def recipe(*arguments: dict[str, Any]) -> Recipe:
        own = [one.get("training", {}).get("args", {}) for one in stages]
        return make_recipe(
            {
                "suite": {"path": str(suite.root), "leaks": leaks},
                "model": {"path": preset.model},
                "stages": [
                    {**one, "training": {"args": {**common, **mine}}}
                    for one, common, mine in zip(stages, arguments, own, strict=True)
                ],
                "evaluation": {"tasks": list(strange)},
                "seed": seed,
            }
        )

    rows = build_dataset(
        recipe(*({"max_steps": 1} for _ in stages)).stages[0],
        suite.load(suite.select(tasks)),
        load_tokenizer(preset.model),
        seed,
        n_rows=_MEASURED_ROWS,
    )
    lengths = [len(rows[n]["input_ids"]) for n in range(_MEASURED_ROWS)]
    n_rows = max(1, round(preset.step_tokens * _MEASURED_ROWS / sum(lengths)))
    # no more tokens at once, padding included, than the widest method has
    at_once = max(1, min(n_rows, preset.rows_at_once * preset.budget_tokens // max(lengths)))
    size, accumulate = split_rows(n_rows, at_once)
    common = {
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": accumulate,
        "learning_rate": learning_rate,
    }
    shares = [max(1, steps // len(stages) + (i < steps % len(stages))) for i in range(len(stages))]
    return recipe(*({"max_steps": n, **common, **_by_steps(n), **preset.training} for n in shares))


def split_rows(n_rows: int, at_once: int) -> tuple[int, int]:
    """Return (rows of a batch, batches) whose product is nearest to a number of rows, with the largest batches that may be."""
    choices = ((size, max(1, round(n_rows / size))) for size in range(at_once, 0, -1))
    # among the largest sizes: many small batches are slow
    return min(((s, n) for s, n in choices if 2 * s >= at_once), key=lambda c: (abs(c[0] * c[1] - n_rows), -c[0]))


def _by_steps(steps: int) -> dict[str, Any]:
    """Return what follows from the number of steps."""
    return {
        "warmup_steps": max(1, steps // 20),
        "logging_steps": max(1, steps // 10),
        "save_steps": max(50, steps // 4),
        "save_total_limit": 1,
    }
