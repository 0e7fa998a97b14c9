"""Make a task of rows that nobody wrote for this purpose: labels, metric, and a split that shares no input."""

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from manyshot.errors import TaskError, nearest
from manyshot.seeds import generator
from manyshot.tasks.conversations import Survey, survey
from manyshot.tasks.folder import is_task_folder
from manyshot.tasks.hub import HUB, keep_columns, open_dataset, refuse_missing
from manyshot.tasks.rows import Columns, read_examples
from manyshot.tasks.tables import Table, open_table
from manyshot.tasks.task import Example, Task
from manyshot.tasks.template import Chat, as_chat, default_template
from manyshot.tasks.text_tables import open_text_tables

Labels = Literal["auto", "none"]
# answers of at most so many words are compared whole, longer ones by what they share
_SHORT_ANSWER_WORDS = 5
_NUMBER = r"[-+\u2212]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
# how worked answers lead up to their number: GSM8K's marks, a sentence, the last step of a sum
_WORKED_ANSWER = re.compile(rf"(?:####|\banswer is:?|(?<![=!<>])=)\s*[$€£]?({_NUMBER})\.?\s*\Z", re.IGNORECASE)

Pool = tuple[list[Example], list[TaskError]]


def open_splits(source: str) -> dict[str, Table]:
    """Open a file, a folder of data files, or `hub:NAME[:CONFIG]`: tables by split, a single file being `train`."""
    path = Path(source.removeprefix(HUB)).expanduser()
    if not source.startswith(HUB) and is_task_folder(path):
        raise TaskError(f"{source}: a task folder already; train on it as it is")
    if (texts := open_text_tables(path)) is not None:
        return texts
    if source.startswith(HUB) or path.is_dir():
        return open_dataset(source)
    return {"train": open_table(path)}


def csv_by_other_rules(table: Table) -> bool:
    """Tell whether `datasets` read the table from .csv files: 007 is 7 then, and texts such as NA and null are missing."""
    return getattr(getattr(table.source, "info", None), "builder_name", None) == "csv"


def pick_split(source: str, splits: dict[str, Table], wanted: str | None, usual: Sequence[str]) -> Table | None:
    """Return the split called `wanted`, or the first usual one that is there; None where there is none of them."""
    if wanted is None:
        return next((splits[name] for name in usual if name in splits), None)
    if wanted not in splits:
        raise TaskError(f'{source}: no split "{wanted}"{nearest(wanted, splits)}; splits here are {", ".join(splits)}')
    return splits[wanted]


def usual_tests(splits: dict[str, Table], train: Table) -> list[Table]:
    """Return the splits that queries are taken from where nobody says which, the first choice first."""
    return [splits[name] for name in ("test", "validation") if name in splits and splits[name] is not train]


def first_usable(tables: Sequence[Table], columns: Columns, say: Callable[[str], None]) -> Table | None:
    """Return the first table that has a good row, and say which ones have none; None where all have none.

    Test splits of benchmarks often come without answers: -1 for every label, or no such column.
    """
    for i, table in enumerate(tables):
        try:
            examples, faults = sort_rows(table, columns)
        except TaskError as error:
            examples, faults = [], [error]
        if examples:
            return table
        others = tables[i + 1].place if i + 1 < len(tables) else "a share of the training rows"
        first = f", the first: {faults[0]}" if faults else ""
        say(f"{table.place}: none of its rows can be scored{first}. Queries are taken from {others} instead")
    return None


def survey_conversations(tables: Iterable[Table], column: str) -> Survey:
    """Return what the conversations of these tables have in common."""
    kept = (keep_columns(table, Columns(messages=column)) for table in tables)
    return survey(row.get(column) for table in kept for _, row in table.rows() if isinstance(row, dict))


def sort_rows(table: Table, columns: Columns) -> Pool:
    """Return a table's examples and the faults of its other rows, in order."""
    refuse_missing(table, columns)
    examples: list[Example] = []
    faults: list[TaskError] = []
    for _, example in read_examples(keep_columns(table, columns), columns, lenient=True):
        if isinstance(example, TaskError):
            faults.append(example)
        else:
            examples.append(example)
    return examples, faults


def find_labels(outputs: Sequence[str], names: Sequence[str] | None, how: Labels) -> tuple[str, ...] | None:
    """Return the labels of a task: the names of its ClassLabel column, else its distinct outputs, sorted.

    Raises TaskError where outputs do not recur, as labels do.
    """
    if how == "none":
        return None
    if names is not None and set(outputs) <= set(names):
        return tuple(names)
    distinct = sorted(set(outputs))
    if len(distinct) < 2:
        raise TaskError(f"all {len(outputs)} outputs are {distinct[:1]}; a task with labels needs two or more")
    if len(distinct) > len(outputs) / 2:
        raise TaskError(
            f"{len(distinct)} different outputs in {len(outputs)} rows are no labels, which recur; "
            "use --labels none for free text"
        )
    return tuple(distinct)


def find_metric(outputs: Sequence[str], labels: Sequence[str] | None) -> str:
    """Return a metric that suits the outputs: accuracy for labels; numeric, exact_match or rouge_l for free text.

    Numeric also suits worked answers, which end in `#### 18`, `answer is 18` or `= 18`.
    """
    if labels is not None:
        return "accuracy"
    if all(_ends_in_number(output) for output in outputs):
        return "numeric"
    return "exact_match" if statistics.median(len(o.split()) for o in outputs) <= _SHORT_ANSWER_WORDS else "rouge_l"


def split_examples(
    examples: Sequence[Example], test_share: float, seed: int, *, closed: bool = False
) -> tuple[list[Example], list[Example]]:
    """Return (train, test), seeded: rows of one input stay together, and no output that recurs is only in test.

    `closed` says that outputs are labels: none of them is only in test then, not even one with a single row. Inputs count as
    one when they differ in white space or case alone. Both parts keep the order of the rows.
    """
    groups: dict[str, list[int]] = {}
    for i, example in enumerate(examples):
        groups.setdefault(input_key(example), []).append(i)
    keys = list(groups)
    left = Counter(example.output for example in examples)
    kept = {output for output, n in left.items() if closed or n > 1}
    wanted, chosen = round(test_share * len(examples)), set[int]()
    for k in generator(seed, "split").permutation(len(keys)):
        group = groups[keys[k]]
        taken = Counter(examples[i].output for i in group)
        if len(chosen) + len(group) > wanted or any(o in kept and left[o] <= n for o, n in taken.items()):
            continue
        left -= taken
        chosen.update(group)
    parts = [[e for i, e in enumerate(examples) if (i in chosen) == is_test] for is_test in (False, True)]
    return parts[0], parts[1]


def without_inputs_of(train: Sequence[Example], test: Sequence[Example]) -> list[Example]:
    """Return the training examples whose input is not also a query's."""
    queries = {input_key(example) for example in test}
    return [example for example in train if input_key(example) not in queries]


def input_key(example: Example) -> str:
    """Return what two examples of one input have in common."""
    return " ".join(example.input.split()).casefold()


def assemble_task(
    name: str,
    train: Sequence[Example],
    test: Sequence[Example],
    labels: tuple[str, ...] | None,
    *,
    metric: str | None = None,
    instruction: str = "",
    source: str = "",
    chat: Chat | None = None,
) -> Task:
    """Return the task of these examples, with the metric and the stop text that its outputs call for."""
    outputs = [example.output for example in (*train, *test)]
    template = default_template(outputs)
    return Task(
        name=name,
        family="classification" if labels is not None else "other",
        instruction=instruction,
        metric=metric or find_metric(outputs, labels),
        labels=labels,
        train=train,
        test=test,
        template=template if chat is None else as_chat(template, chat),
        source=source,
    )


def _ends_in_number(text: str) -> bool:
    """Tell whether a text is a finite number, or a worked answer that ends in one."""
    found = re.fullmatch(f"({_NUMBER})", text.strip()) or _WORKED_ANSWER.search(text)
    return found is not None and math.isfinite(float(found[1].replace(",", "").replace("\u2212", "-")))
