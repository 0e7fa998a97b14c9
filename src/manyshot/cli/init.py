"""`manyshot init`: a table of inputs and outputs becomes a task folder and a recipe that tunes on it."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from manyshot.errors import TaskError
    from manyshot.tasks import Columns, Example, Table, Task

BUNDLED = "bundled"
_SHOWN_FAULTS = 20


def init(
    source: Annotated[
        str, typer.Argument(help="A .csv, .tsv, .jsonl or .parquet file, a folder of data files, or hub:NAME[:CONFIG].")
    ],
    input_column: Annotated[str | None, typer.Option(help="Column of the inputs.")] = None,
    output_column: Annotated[str | None, typer.Option(help="Column of the outputs.")] = None,
    choices_column: Annotated[
        str | None,
        typer.Option(
            help="Column of lists of choices, of which the output names one by index, letter or text; none: leave them out."
        ),
    ] = None,
    messages_column: Annotated[
        str | None, typer.Option(help="Column of conversations, instead of the two: the last answer is the output.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="auto: the different outputs are the labels; none: free text.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; it must not exist yet, or be empty.")] = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave malformed rows out.")] = False,
    test_share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of the rows that become queries, where no test split is.")
    ] = 0.2,
    name: Annotated[str | None, typer.Option(help="Of the task; the file's name unless given.")] = None,
    instruction: Annotated[str, typer.Option(help="One sentence that says what to do, put before the examples.")] = "",
    metric: Annotated[str | None, typer.Option(help="How answers are scored; chosen by the outputs.")] = None,
    model: Annotated[str, typer.Option(help="The model that the recipe tunes.")] = BUNDLED,
    chat: Annotated[
        str | None,
        typer.Option(
            help="For a chat model: show the task as a conversation, the instruction in a system or user turn."
        ),
    ] = None,
    train_split: Annotated[str | None, typer.Option(help="Split of a data set to train on.")] = None,
    test_split: Annotated[str | None, typer.Option(help="Split of a data set to score on.")] = None,
    seed: Annotated[int, typer.Option(help="Of the split into train and test.")] = 0,
) -> None:
    """Write a task folder (task.json, train.jsonl, test.jsonl) and a recipe for it. Says every choice it makes."""
    from manyshot.cli.console import say
    from manyshot.errors import TaskError
    from manyshot.files import write_text
    from manyshot.tasks import Columns, making, save_task
    from manyshot.tasks.choices import letters_shown

    splits = making.open_splits(source)
    train = making.pick_split(source, splits, train_split, ("train", *list(splits)[:1]))
    named_test = making.pick_split(source, splits, test_split, ())
    if train is None:
        raise TaskError(f"{source}: holds no rows")
    if making.csv_by_other_rules(train):
        say(
            f"{source}: its csv is read by pandas' rules, 007 as 7 and NA as nothing; a local copy is read as it stands"
        )
    if messages_column is not None and (input_column or output_column or choices_column):
        raise TaskError("give --messages-column, or --input-column and --output-column, not both")
    named = Columns(input_column or "", output_column or "", messages_column, choices_column)
    columns, labels, folder = _answers(source, train, named, labels, out)
    if labels not in ("auto", "none"):
        raise TaskError(f'--labels is "{labels}"; give auto or none')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TaskError(f"{folder}: not empty; choose another --out")
    test = None if named_test is train else named_test
    if named_test is None:
        test = making.first_usable(making.usual_tests(splits, train), columns, say)
    tables = [train] if test is None else [train, test]
    if columns.messages is not None:
        columns, instruction = _take_system_text(tables, columns, instruction)
    pools = {table.place: making.sort_rows(table, columns) for table in tables}
    _refuse_or_report([fault for _, faults in pools.values() for fault in faults], pools, skip=skip_bad_rows)
    examples = pools[train.place][0]
    if test is None:
        kept, queries = making.split_examples(examples, test_share, seed, closed=labels == "auto")
    else:
        queries = pools[test.place][0]
        kept = making.without_inputs_of(examples, queries)
        if len(kept) < len(examples):
            say(f"left out {len(examples) - len(kept)} training rows whose input is a query's")
    if not kept or not queries:
        raise TaskError(
            f"{source}: {len(examples)} good rows leave {len(kept)} to train on and {len(queries)} queries; both need one"
        )
    used = [*kept, *queries]
    if columns.choices is not None and labels == "auto":
        found: tuple[str, ...] | None = letters_shown(used)
    else:
        outputs = [example.output for example in used]
        found = making.find_labels(outputs, train.label_names.get(columns.output), labels)  # type: ignore[arg-type]
    task = making.assemble_task(
        name or _name(source),
        kept,
        queries,
        found,
        metric=metric,  # type: ignore[arg-type]
        instruction=instruction,
        source=source if source.startswith("hub:") else Path(source).name,
        chat=chat,  # type: ignore[arg-type]
    )
    save_task(task, folder)
    write_text(folder / "recipe.yaml", _recipe(task, model))
    _report(task, folder, say)


def _answers(
    source: str, table: "Table", named: "Columns", labels: str | None, out: Path | None
) -> tuple["Columns", str, Path]:
    """Return columns, labels and folder: from options, what the table's own names say, or four questions on a terminal."""
    from dataclasses import replace

    from manyshot.errors import TaskError

    first = next((row for _, row in table.rows() if isinstance(row, dict)), {})
    columns = table.columns or tuple(map(str, first))
    if named.messages is None and not named.input and not named.output:
        if {"input", "output"} <= set(columns):
            named = replace(named, input="input", output="output")
        elif "messages" in columns and named.choices is None:
            named = replace(named, messages="messages")
    asked = on_terminal()
    if named.messages is None:
        if not asked and not (named.input and named.output):
            raise TaskError(
                f"{table.place}: name its columns with --input-column and --output-column; here are {', '.join(columns)}"
            )
        listed = ", ".join(columns)
        named = replace(
            named,
            input=named.input or typer.prompt(f"Which column holds the inputs? ({listed})"),
            output=named.output or typer.prompt(f"Which column holds the outputs? ({listed})"),
        )
        named = _settle_choices(table.place, first, named)
    if labels is None:
        question = "Are the outputs labels (auto) or free text (none)?"
        labels = "none" if named.messages is not None else typer.prompt(question, default="auto") if asked else "auto"
    if out is None:
        if not asked:
            raise TaskError("name the folder to write with --out")
        out = Path(typer.prompt("Which folder should be written?", default=_name(source)))
    return named, str(labels), out


def _settle_choices(place: str, row: Any, named: "Columns") -> "Columns":
    """Take the word "none" for no choices; refuse choices that nobody spoke of, which would be lost in silence."""
    from dataclasses import replace

    from manyshot.errors import TaskError
    from manyshot.tasks.choices import unnamed_choices

    if named.choices is not None:
        return replace(named, choices=None) if named.choices == "none" else named
    if found := unnamed_choices(row, named.used):
        raise TaskError(
            f'{place}: column "{found}" holds lists of choices; show them with --choices-column {found}, or leave them out '
            "with --choices-column none"
        )
    return named


def _take_system_text(tables: list["Table"], columns: "Columns", instruction: str) -> tuple["Columns", str]:
    """Make the system text that all conversations share the instruction; say how many inputs are made of several turns."""
    from dataclasses import replace

    from manyshot.cli.console import say
    from manyshot.tasks import making

    found = making.survey_conversations(tables, columns.messages or "")
    n_flattened = found.n_flattened
    if found.system is not None and not instruction:
        say(f"all {found.n_rows} conversations open with the same system text, which becomes the instruction")
        columns, instruction = replace(columns, without_system=True), found.system
    elif found.system is not None:
        n_flattened = found.n_rows
    if n_flattened:
        n_system = found.n_opened if not columns.without_system else 0
        say(
            f"{n_flattened} of {found.n_rows} conversations have several turns before the answer ({n_system} open with a "
            "system turn); they were flattened: their input holds all turns, each headed by its role"
        )
    return columns, instruction


def on_terminal() -> bool:
    """Tell whether somebody is there to answer."""
    return sys.stdin.isatty()


def _refuse_or_report(
    faults: list["TaskError"], pools: dict[str, tuple[list["Example"], list["TaskError"]]], *, skip: bool
) -> None:
    """Name every malformed row; without leave to skip them, nothing is written."""
    from manyshot.cli.console import say
    from manyshot.errors import TaskError

    if not faults:
        return
    for fault in faults[:_SHOWN_FAULTS]:
        say(str(fault))
    if len(faults) > _SHOWN_FAULTS:
        say(f"and {len(faults) - _SHOWN_FAULTS} more malformed rows")
    n_rows = sum(len(good) + len(bad) for good, bad in pools.values())
    if not skip:
        raise TaskError(
            f"{len(faults)} of {n_rows} rows are malformed, the first: {faults[0]}. Nothing was written; mend them, or "
            "leave them out with --skip-bad-rows"
        )
    say(f"left out {len(faults)} malformed rows of {n_rows}")


def _name(source: str) -> str:
    last = source.removeprefix("hub:").rstrip("/").split("/")[-1]
    stem = re.sub(r"\.(csv|tsv|jsonl|parquet)$", "", last, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "task"


def _recipe(task: "Task", model: str) -> str:
    """Return a recipe that tunes a model on the task in its own folder and scores it on the task's queries."""
    import json

    place = Path(model).expanduser()
    value = str(place.resolve()) if place.exists() else model
    template = task.template
    rendered = [template.render_prompt(e.input) + template.render_answer(e.output) for e in task.train[:200]]
    # a token is about three bytes of plain text; a row should hold some 16 examples
    tokens = 16 * sum(len(text.encode()) for text in rendered) / len(rendered) / 3
    budget = next((size for size in (512, 1024, 2048, 4096) if size >= tokens), 8192)
    rate = "3.0e-3" if model == BUNDLED else "3.0e-4"
    return f"""\
# Tune a model on this task and score it before and after, with examples in the prompt:
#   manyshot train recipe.yaml --out runs/{task.name}
suite: {{path: .}}
model: {{path: {json.dumps(value)}}}
data:
  episodes: {{budget_tokens: {budget}}}
objective: {{scope: all_answers, averaging: answer}}
tuning:
  preset: lora
  lora: {{r: 16, lora_alpha: 32}}
training:
  args: {{max_steps: 100, per_device_train_batch_size: 4, learning_rate: {rate}, save_steps: 50}}
evaluation:
  # queries are the task's own test rows, which no training row shares its input with
  tasks: [train]
  shots: [0, 4, 16]
  draws: 2
  limit: 100
"""


def _report(task: "Task", folder: Path, say: Any) -> None:
    import shlex

    from manyshot.tasks.template import USUAL_STOPS

    answers = "free text" if task.labels is None else f"{len(task.labels)} labels ({', '.join(task.labels[:8])})"
    say(
        f"{folder}: task {task.name}, {len(task.train)} to train on, {len(task.test)} queries, {answers}, {task.metric}"
    )
    place, run = shlex.quote(str(folder)), shlex.quote(f"runs/{task.name}")
    if task.template.chat is None and task.template.stop not in USUAL_STOPS:
        say(f"answers hold the usual stop texts; theirs is {task.template.stop!r}, in the template of task.json")
    say("next:")
    say(f"  manyshot train {place}/recipe.yaml --out {run}")
    say(f"  manyshot eval {run}/model --tasks {place} --out {run}-eval")
    # the text may begin as an option does
    say(f"  manyshot predict {run}/model --task {place} -- {shlex.quote(task.test[0].input[:60])}")
