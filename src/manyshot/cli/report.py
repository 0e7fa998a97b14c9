"""`manyshot report`: make a run folder's page again from its records."""

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Write report.html and figures/ again, and print the tables."""
    from manyshot.cli.console import say, show
    from manyshot.files import read_json
    from manyshot.records import SUMMARY
    from manyshot.reporting import cost_table, curve_tables, family_table, task_table, write_report

    page = write_report(run)
    summary = read_json(run / SUMMARY)
    for table in [*curve_tables(summary), family_table(summary), task_table(summary), cost_table(summary)]:
        if table is not None:
            show(table)
    say(f"report: {page}")
