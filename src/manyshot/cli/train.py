"""`manyshot train`: carry out a recipe, or a plain tuning of one model on one folder of tasks."""

from pathlib import Path
from typing import Annotated, Any

import typer

Overrides = Annotated[
    list[str] | None, typer.Option("--set", "-s", help="Override a key of the recipe: training.args.max_steps=20.")
]


def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe (.yaml). Without one, give --model and --tasks.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The run folder; an existing one of the same recipe is resumed.")] = Path(
        "runs/train"
    ),
    model: Annotated[str | None, typer.Option(help="A Hugging Face or PEFT folder, or a Hub name.")] = None,
    tasks: Annotated[str | None, typer.Option(help="A task folder, a folder of them, or one with suite.json.")] = None,
    tuning: Annotated[
        str, typer.Option(help="Which parameters move, without a recipe: lora, full or value_only.")
    ] = "lora",
    overrides: Overrides = None,
) -> None:
    """Measure the base, train, measure again, and write everything to one folder."""
    from manyshot.cli.console import quiet_libraries, say, show
    from manyshot.errors import RecipeError
    from manyshot.recipe import load_recipe, make_recipe
    from manyshot.reporting import cost_table, curve_tables, write_report
    from manyshot.run import Run

    quiet_libraries()
    if recipe is not None:
        if model is not None or tasks is not None:
            raise RecipeError(
                "a recipe names model and tasks itself; override them with -s model.path=... -s suite.path=..."
            )
        resolved = load_recipe(recipe, overrides or ())
    elif model is None or tasks is None:
        raise RecipeError("give a recipe, or both --model and --tasks")
    else:
        resolved = make_recipe(_plain(model, tasks, tuning), overrides or (), place="options")
    run = Run(resolved, out, say)
    summary = run.execute()
    if not run.ranks.is_main:
        return
    page = write_report(out)
    for table in [*curve_tables(summary), cost_table(summary)]:
        if table is not None:
            show(table)
    say(f"report: {page}")
    say(f"model:  {out / 'model'}")


def _plain(model: str, tasks: str, tuning: str) -> dict[str, Any]:
    """Return the recipe of a tuning without one: all tasks that are to train on, judged on what is held out of them."""
    from manyshot.tasks import open_suite

    held_out = bool(open_suite(tasks).splits.get("held_out"))
    return {
        "suite": {"path": tasks},
        "model": {"path": model},
        "tuning": {"preset": tuning},
        "evaluation": {"tasks": ["held_out" if held_out else "train"]},
    }
