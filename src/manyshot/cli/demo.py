"""`manyshot demo`: a small job on generated tasks, from nothing to a report."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 60,
) -> None:
    """Train a very small new model on generated tasks and report it: shows the path, not in-context learning."""
    from manyshot.cli.console import quiet_libraries, say, show
    from manyshot.recipe import make_recipe
    from manyshot.reporting import curve_tables, write_report
    from manyshot.run import Run
    from manyshot.tasks.builtin import write_suite

    quiet_libraries()
    say(
        "This runs the whole path on generated tasks with a new model of half a million parameters, trained for a minute or two. "
        "It shows that everything works here; a model this small and young does not learn in context yet."
    )
    suite = write_suite(out.parent / f"{out.name}-tasks", seed=0)
    recipe = make_recipe(
        {
            "suite": {"path": str(suite)},
            "model": {"scratch": {"vocabulary": 1500, "config": {"hidden_size": 64, "intermediate_size": 176}}},
            "data": {"episodes": {"budget_tokens": 512}},
            "training": {
                "args": {
                    "max_steps": steps,
                    "per_device_train_batch_size": 8,
                    "learning_rate": 3e-3,
                    "save_steps": steps,
                }
            },
            "evaluation": {"tasks": ["held_out_quick"], "shots": [0, 4, 16], "draws": 2, "limit": 20},
        }
    )
    summary = Run(recipe, out, say).execute()
    page = write_report(out)
    for table in curve_tables(summary):
        show(table)
    say(f"report: {page}")
    say("next, with a model and tasks of your own:  manyshot train --model MODEL --tasks FOLDER --out runs/mine")
