"""`manyshot recipe`: check a recipe and show it with every default filled in."""

from pathlib import Path
from typing import Annotated

import typer

from manyshot.cli.train import Overrides


def recipe(
    path: Annotated[Path, typer.Argument(help="A recipe (.yaml).")],
    overrides: Overrides = None,
) -> None:
    """Print the resolved recipe and its hash; nothing is run."""
    from manyshot.cli.console import say
    from manyshot.recipe import load_recipe

    resolved = load_recipe(path, overrides or ())
    say(resolved.to_yaml())
    say(f"# hash {resolved.hash}")
