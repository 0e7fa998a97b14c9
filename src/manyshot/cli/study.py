"""`manyshot study`: methods compared on equal terms, resumable."""

from pathlib import Path
from typing import Annotated

import typer

study = typer.Typer(no_args_is_help=True, help="Compare methods on equal terms; every training is resumed or skipped.")


@study.command()
def ladder(
    preset: Annotated[str, typer.Option(help="demo, smoke, tiny, real, or a .yaml file.")] = "smoke",
    out: Annotated[
        Path, typer.Option(help="The study's folder; an existing one of the same preset is resumed.")
    ] = Path("runs/ladder"),
    seeds: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
    methods: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List a command for each training and stop.")] = False,
    only: Annotated[str | None, typer.Option(help="Carry out this one training of --dry-run and stop.")] = None,
) -> None:
    """Tune one model by several methods on equal tokens and judge them on seen and held-out tasks."""
    from manyshot.cli.console import quiet_libraries, say, split_list, split_numbers
    from manyshot.errors import RecipeError, nearest
    from manyshot.studies import Ladder, LadderPreset, load_preset

    quiet_libraries()
    chosen = load_preset(
        preset,
        LadderPreset,
        seeds=split_numbers(seeds) if seeds else None,
        methods=split_list(methods) if methods else None,
    )
    job_list = Ladder(chosen, out, say)
    if dry_run or only:
        # trainings of the report follow the learning rates, which those of the grid decide
        names = {job.name: job for job in job_list.todo()}
        if only is None:
            same = f"--preset {preset} --out {out}" + (f" --seeds {seeds}" if seeds else "")
            same += f" --methods {methods}" if methods else ""
            for name in names:
                say(f"manyshot study ladder {same} --only {name}")
            return
        if only not in names:
            raise RecipeError(f'no training is called "{only}"{nearest(only, names)}; --dry-run lists them')
        job_list.train(names[only])
        return
    say(f"preset {preset}: {chosen.cost}")
    report(job_list.execute(), out)


@study.command()
def preservation(
    preset: Annotated[str, typer.Option(help="smoke, tiny, or a .yaml file.")] = "smoke",
    out: Annotated[
        Path, typer.Option(help="The study's folder; an existing one of the same preset is resumed.")
    ] = Path("runs/preservation"),
    seeds: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
    methods: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
) -> None:
    """Tune on one task at a time in many ways; compare what is learned with what is left of in-context learning."""
    from manyshot.cli.console import quiet_libraries, say, show, split_list, split_numbers
    from manyshot.reporting import preservation_table
    from manyshot.studies import Preservation, PreservationPreset, load_preset

    quiet_libraries()
    chosen = load_preset(
        preset,
        PreservationPreset,
        seeds=split_numbers(seeds) if seeds else None,
        methods=split_list(methods) if methods else None,
    )
    say(f"preset {preset}: {chosen.cost}")
    result = Preservation(chosen, out, say).execute()
    show(preservation_table(result))
    say(f"best on dev: {result['best']}; all numbers: {out / 'preservation.json'}")


def report(result: dict, out: Path) -> None:
    """Print a study's tables and write its page."""
    from manyshot.cli.console import say, show
    from manyshot.reporting import cost_table, curve_tables, paired_table, write_report

    page = write_report(out)
    for table in [*curve_tables(result, compact=True), paired_table(result, compact=True), cost_table(result)]:
        if table is not None:
            show(table)
    say(f"report: {page}")
