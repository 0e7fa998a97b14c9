"""`manyshot theory`: check every formula of the linear-attention theory and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def theory(
    out: Annotated[Path, typer.Option(help="Folder for theory.json, summary.json, figures/ and report.html.")] = Path(
        "runs/theory"
    ),
    fast: Annotated[bool, typer.Option("--fast", help="A smaller run, under 40 seconds on 2 cores.")] = False,
    paper: Annotated[
        bool, typer.Option("--paper", help="The published batch of 5000 prompts (default: 1000).")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
) -> None:
    """Compare the closed forms of linear attention with simulation and with SGD; write theory.json, figures, report.html.

    Raises TheoryError where `--fast` and `--paper` are both given, or `out` holds files that this command did not write.
    """
    import torch
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from manyshot.errors import TheoryError
    from manyshot.theory.experiment import DEFAULT, FAST, PAPER, run_experiment
    from manyshot.theory.page import check_out, write_report

    if fast and paper:
        raise TheoryError("--fast and --paper were both given; choose one")
    check_out(out)
    # the matrices are small: a second thread costs more in waiting than it brings, most of all on a busy machine
    torch.set_num_threads(1)
    console = Console(soft_wrap=True)
    preset = FAST if fast else PAPER if paper else DEFAULT
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting")

        def report(stage: str, step: int, steps: int) -> None:
            count = f" {step}/{steps}" if steps > 1 else ""
            progress.update(task, description=f"{stage}{count}")

        result = run_experiment(preset, seed, report)
        progress.update(task, description="figures and report")
        page = write_report(result, out)
    seconds = result["meta"]["seconds"]
    stages = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items() if name != "all")
    distance = max(x["largest_distance_in_se"] for x in result["checks"]["monte_carlo"].values())
    console.print(f"{preset.name} run: {seconds['all']:.0f} s ({stages})", highlight=False)
    console.print(f"closed forms against Monte Carlo: at most {distance:.1f} standard errors apart", highlight=False)
    console.print(f"report: {page}", highlight=False)
