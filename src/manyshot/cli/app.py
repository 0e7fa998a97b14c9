"""The app and its verbs. Imports nothing heavy: each verb loads what it needs when it runs."""

import sys

import typer

from manyshot.cli.demo import demo
from manyshot.cli.doctor import doctor
from manyshot.cli.eval import evaluate
from manyshot.cli.export import export
from manyshot.cli.init import init
from manyshot.cli.inspect import inspect_row
from manyshot.cli.predict import predict
from manyshot.cli.prompt import prompt
from manyshot.cli.recipe import recipe
from manyshot.cli.report import report
from manyshot.cli.retention import retention
from manyshot.cli.study import study
from manyshot.cli.tasks import tasks
from manyshot.cli.theory import theory
from manyshot.cli.train import train
from manyshot.errors import ManyshotError

app = typer.Typer(
    name="manyshot",
    help="Tune a language model once over many tasks on many-shot sequences; then do any task from examples in the prompt.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("init")(init)
app.command("tasks")(tasks)
app.command("inspect")(inspect_row)
app.command("train")(train)
app.command("eval")(evaluate)
app.command("retention")(retention)
app.command("predict")(predict)
app.command("prompt")(prompt)
app.command("report")(report)
app.command("recipe")(recipe)
app.add_typer(export, name="export")
app.add_typer(study, name="study")
app.command("theory")(theory)
app.command("demo")(demo)
app.command("doctor")(doctor)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2."""
    try:
        app()
    except ManyshotError as error:
        from manyshot.cli.console import fail

        fail(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
