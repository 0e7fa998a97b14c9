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
        str, typer.Argument(help="A .csv, .jsonl or .parquet file, a folder of data files, or hub:NAME[:CONFIG].")
    ],
    input_column: Annotated[str | None, typer.Option(help="Column of the inputs.")] = None,
    output_column: Annotated[str | None, typer.Option(help="Column of the outputs.")] = None,
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
    from manyshot.tasks import making, save_task

    splits = making.open_splits(source)
    train = making.pick_split(source, splits, train_split, ("train", *list(splits)[:1]))
    test = making.pick_split(source, splits, test_split, ("test", "validation"))
    if train is None:
        raise TaskError(f"{source}: holds no rows")
    test = None if test is train else test
    columns, labels, folder = _answers(train, input_column, output_column, messages_column, labels, out)
    if labels not in ("auto", "none"):
        raise TaskError(f'--labels is "{labels}"; give auto or none')
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TaskError(f"{folder}: not empty; choose another --out")
    pools = {table.place: making.sort_rows(table, columns) for table in (train, test) if table is not None}
    _refuse_or_report([fault for _, faults in pools.values() for fault in faults], pools, skip=skip_bad_rows)
    examples = pools[train.place][0]
    if test is None:
        kept, queries = making.split_examples(examples, test_share, seed)
    else:
        queries = pools[test.place][0]
        kept = making.without_inputs_of(examples, queries)
        if len(kept) < len(examples):
            say(f"left out {len(examples) - len(kept)} training rows whose input is a query's")
    if not kept or not queries:
        raise TaskError(
            f"{source}: {len(examples)} good rows leave {len(kept)} to train on and {len(queries)} queries; both need one"
        )
    outputs = [example.output for example in (*kept, *queries)]
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
    table: "Table",
    input_column: str | None,
    output_column: str | None,
    messages_column: str | None,
    labels: str | None,
    out: Path | None,
) -> tuple["Columns", str, Path]:
    """Return columns, labels and folder: from options, what the table's own names say, or four questions on a terminal."""
    from manyshot.errors import TaskError
    from manyshot.tasks import Columns

    if messages_column is not None and (input_column or output_column):
        raise TaskError("give --messages-column, or --input-column and --output-column, not both")
    columns = table.columns or _fields_of_first_row(table)
    if messages_column is None and input_column is None and output_column is None:
        if {"input", "output"} <= set(columns):
            input_column, output_column = "input", "output"
        elif "messages" in columns:
            messages_column = "messages"
    asked = on_terminal()
    if messages_column is None and (input_column is None or output_column is None):
        if not asked:
            raise TaskError(
                f"{table.place}: name its columns with --input-column and --output-column; here are {', '.join(columns)}"
            )
        listed = ", ".join(columns)
        input_column = input_column or typer.prompt(f"Which column holds the inputs? ({listed})")
        output_column = output_column or typer.prompt(f"Which column holds the outputs? ({listed})")
    if labels is None:
        question = "Are the outputs labels (auto) or free text (none)?"
        labels = typer.prompt(question, default="auto") if asked and messages_column is None else None
        labels = labels or ("none" if messages_column else "auto")
    if out is None:
        if not asked:
            raise TaskError("name the folder to write with --out")
        out = Path(typer.prompt("Which folder should be written?", default=_name(table.place.split()[0])))
    if messages_column is not None:
        return Columns(messages=messages_column), labels, out
    return Columns(input_column or "", output_column or ""), labels, out


def on_terminal() -> bool:
    """Tell whether somebody is there to answer."""
    return sys.stdin.isatty()


def _fields_of_first_row(table: "Table") -> tuple[str, ...]:
    first = next((row for _, row in table.rows() if isinstance(row, dict)), {})
    return tuple(map(str, first))


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
    stem = re.sub(r"\.(csv|jsonl|parquet)$", "", last)
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

    answers = "free text" if task.labels is None else f"{len(task.labels)} labels ({', '.join(task.labels[:8])})"
    say(
        f"{folder}: task {task.name}, {len(task.train)} to train on, {len(task.test)} queries, {answers}, {task.metric}"
    )
    place, run = shlex.quote(str(folder)), shlex.quote(f"runs/{task.name}")
    say("next:")
    say(f"  manyshot train {place}/recipe.yaml --out {run}")
    say(f"  manyshot eval {run}/model --tasks {place} --out {run}-eval")
    say(f"  manyshot predict {run}/model {shlex.quote(task.test[0].input[:60])} --task {place}")
