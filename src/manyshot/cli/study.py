"""`manyshot study`: methods compared on equal terms, resumable."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manyshot.studies import Job

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
    from manyshot.studies import Ladder, LadderPreset, load_preset

    quiet_libraries()
    chosen = load_preset(
        preset,
        LadderPreset,
        seeds=split_numbers(seeds) if seeds else None,
        methods=split_list(methods) if methods else None,
    )
    job_list = Ladder(chosen, out, aside if dry_run else say)
    if dry_run or only:
        same = options_again(preset, out, seeds, methods)
        carry_out(job_list.todo(), job_list.train, only, f"manyshot study ladder {same}", out, say)
        return
    say(f"preset {preset}: {chosen.cost}")
    report(job_list.execute(), out)


@study.command()
def preservation(
    preset: Annotated[str, typer.Option(help="smoke, tiny, real, mmlu, or a .yaml file.")] = "smoke",
    out: Annotated[
        Path, typer.Option(help="The study's folder; an existing one of the same preset is resumed.")
    ] = Path("runs/preservation"),
    seeds: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
    methods: Annotated[str | None, typer.Option(help="Comma-separated, instead of the preset's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List a command for each training and stop.")] = False,
    only: Annotated[str | None, typer.Option(help="Carry out and judge this one training of --dry-run; stop.")] = None,
) -> None:
    """Tune on one task at a time in many ways; compare what is learned with what is left of in-context learning."""
    from manyshot.cli.console import quiet_libraries, say, show, split_list, split_numbers
    from manyshot.reporting import claims_of_sources, preservation_table, write_preservation
    from manyshot.studies import Preservation, PreservationPreset, load_preset

    quiet_libraries()
    chosen = load_preset(
        preset,
        PreservationPreset,
        seeds=split_numbers(seeds) if seeds else None,
        methods=split_list(methods) if methods else None,
    )
    job_list = Preservation(chosen, out, aside if dry_run else say)
    if dry_run or only:
        same = options_again(preset, out, seeds, methods)
        carry_out(job_list.todo(), job_list.judge, only, f"manyshot study preservation {same}", out, say)
        return
    say(f"preset {preset}: {chosen.cost}")
    result = job_list.execute()
    page = write_preservation(out)
    for table in (preservation_table(result), claims_of_sources(result)):
        show(table)
    say(f"best on dev: {result['best']}; all numbers: {out / 'preservation.json'}; report: {page}")


def aside(line: str) -> None:
    """Print beside the commands that --dry-run lists, so that those can be piped into a shell."""
    typer.echo(line, err=True)


def options_again(preset: str, out: Path, seeds: str | None, methods: str | None) -> str:
    """Return the options that name the same study."""
    given = {"--preset": preset, "--out": str(out), "--seeds": seeds, "--methods": methods}
    return shlex.join(part for name, value in given.items() if value for part in (name, value))


def carry_out(
    jobs: Sequence["Job"],
    do: Callable[["Job"], object],
    only: str | None,
    command: str,
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """List a command for each training that can be done now, or do the one of a name, unless it is done."""
    from manyshot.errors import RecipeError, nearest
    from manyshot.studies.jobs import is_trained

    # trainings of the report follow what those before them decide
    names = {job.name: job for job in jobs}
    if only is None:
        for name in names:
            say(f"{command} --only {shlex.quote(name)}")
    elif only not in names and is_trained(folder / "runs" / only):
        say(f"{only}: done already")
    elif only not in names:
        raise RecipeError(f'no training is called "{only}"{nearest(only, names)}; --dry-run lists them')
    else:
        do(names[only])


def report(result: dict, out: Path) -> None:
    """Print a study's tables and write its page."""
    from manyshot.cli.console import say, show
    from manyshot.reporting import claims_table, cost_table, curve_tables, paired_table, write_report

    page = write_report(out)
    tables = [*curve_tables(result, compact=True), paired_table(result, compact=True), cost_table(result)]
    for table in [*tables, claims_table(result)]:
        if table is not None:
            show(table)
    say(f"report: {page}")
