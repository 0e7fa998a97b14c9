"""What verbs print with: one console, one line for an error, quiet libraries."""

import os

from rich.console import Console
from rich.table import Table as RichTable

from manyshot.reporting.tables import Table

console = Console(highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print one line as it is."""
    console.print(line, markup=False)


def fail(message: str) -> None:
    """Print an error in one line."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {message}", markup=False, style="red")


def show(table: Table) -> None:
    """Print a table."""
    rich_table = RichTable(
        title=table.title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for i, cell in enumerate(table.head):
        rich_table.add_column(cell, overflow="fold", justify="left" if i == 0 else "right")
    for row in table.rows:
        rich_table.add_row(*row)
    # outside a terminal a table is as wide as it needs to be, so that it can be read in a log
    wide = (
        console
        if console.is_terminal
        else Console(highlight=False, width=max(120, int(os.environ.get("COLUMNS", 0) or 0)))
    )
    wide.print(rich_table, markup=False)
    wide.print()


def quiet_libraries() -> None:
    """Keep progress bars and advice of the libraries below out of the way."""
    import logging
    import warnings

    import transformers

    # about calls between the libraries below, which no user can change
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("torch").setLevel(logging.ERROR)


def split_list(text: str) -> list[str]:
    """Split a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()]


def split_numbers(text: str) -> list[int]:
    """Split a comma-separated option of whole numbers."""
    from manyshot.errors import RecipeError

    try:
        return [int(part) for part in split_list(text)]
    except ValueError:
        raise RecipeError(f'"{text}" is no list of whole numbers; write it as 0,4,16') from None
