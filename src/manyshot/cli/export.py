"""`manyshot export`: task folders in the formats of other tools."""

from pathlib import Path
from typing import Annotated

import typer

export = typer.Typer(help="Write tasks in the formats of other tools.", no_args_is_help=True)


@export.callback()
def _formats() -> None:
    """Write tasks in the formats of other tools."""


@export.command("lm-eval")
def lm_eval(
    task: Annotated[Path, typer.Argument(help="A task folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the harness's task.")] = Path("runs/lm-eval"),
    shots: Annotated[int, typer.Option(min=0, help="Demonstrations, the same that an evaluation draws first.")] = 16,
    seed: Annotated[int, typer.Option(help="Choice of demonstrations.")] = 0,
) -> None:
    """Write a task of lm-evaluation-harness: same prompts, same demonstrations, same queries."""
    from manyshot.cli.console import say
    from manyshot.episodes import draw_demonstrations
    from manyshot.exporting import export_lm_eval
    from manyshot.tasks import load_task

    loaded = load_task(task)
    demonstrations = [loaded.train[i] for i in draw_demonstrations(loaded, shots, seed, draw=0)]
    place = export_lm_eval(loaded, demonstrations, out)
    say(f"wrote {place}")
    say(
        f"lm_eval --model hf --model_args pretrained=MODEL --include_path {out} "
        f"--tasks manyshot_{loaded.name} --num_fewshot {len(demonstrations)}"
    )
