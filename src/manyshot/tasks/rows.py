"""Rows into examples: which fields are input and output, integer labels by name, choices as lines of the input, conversations
by their last answer."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyshot.errors import TaskError, nearest
from manyshot.tasks.choices import answer_letter, read_choices
from manyshot.tasks.conversations import conversation
from manyshot.tasks.tables import Table, parse_json_line
from manyshot.tasks.task import Example


@dataclass(frozen=True, slots=True)
class Columns:
    """Which fields of a row make an example: an input and an output, with choices or without, or a list of messages."""

    input: str = "input"
    output: str = "output"
    messages: str | None = None
    choices: str | None = None
    """Lists of which the output names one: an index, a letter or label, or a text."""
    without_system: bool = False
    """Leave the system turn that opens a conversation out, because it is the task's instruction."""

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the fields that are read; the first is the input's."""
        if self.messages is not None:
            return (self.messages,)
        return (self.input, self.output) if self.choices is None else (self.input, self.choices, self.output)


def read_examples(
    table: Table, columns: Columns, labels: Sequence[str] | None = None, *, lenient: bool = False
) -> Iterator[tuple[int, Example | TaskError]]:
    """Yield (number, example or fault) for every row of a table.

    Outputs lose surrounding white space, which no metric counts and which would change the answer's tokens. An integer in
    a column with label names becomes its name. `lenient` also takes other numbers and truth values as text, and refuses
    empty inputs, as is right for a table that nobody wrote for this purpose.
    """
    for part in table.parts:
        yield from read_examples(part, columns, labels, lenient=lenient)
    if table.parts:
        return
    allowed = None if labels is None else set(labels)
    names = table.label_names
    for number, row in table.rows():
        if isinstance(row, TaskError):
            yield number, row
            continue
        if not names and type(row) is dict and (example := _plain(row, columns, allowed)):
            yield number, example
            continue
        try:
            yield number, _example(f"{table.place}:{number}", row, columns, names, allowed, lenient)
        except TaskError as fault:
            yield number, fault


def read_line(file: Path, number: int, raw: bytes, columns: Columns, labels: Set[str] | None = None) -> Example:
    """Return the example of one line of a .jsonl file, as `read_examples` would; raises TaskError with file and line."""
    row = parse_json_line(file, number, raw)
    if isinstance(row, TaskError):
        raise row
    example = _plain(row, columns, labels) if type(row) is dict else None
    return example or _example(f"{file}:{number}", row, columns, {}, labels, False)


def _plain(row: dict[str, Any], columns: Columns, allowed: Set[str] | None) -> Example | None:
    """Return the example of a row that nothing can be said against, as nearly all are; None where it needs a closer look."""
    text, answer = row.get(columns.input), row.get(columns.output)
    if type(text) is not str or type(answer) is not str:
        return None
    if columns.messages is not None or columns.choices is not None:
        return None
    answer = answer.strip()
    if not answer or not text.isascii() or not answer.isascii() or text.isspace() or not text:
        return None
    return Example(text, answer) if allowed is None or answer in allowed else None


def _example(
    place: str,
    row: Any,
    columns: Columns,
    names: dict[str, tuple[str, ...]],
    allowed: Set[str] | None,
    lenient: bool,
) -> Example:
    if not isinstance(row, dict):
        raise TaskError(f"{place}: a {type(row).__name__}; every line must be an object with the fields of a row")
    if columns.messages is not None:
        answer_column = columns.messages
        messages = _present(place, row, columns.messages, columns)
        values = conversation(place, messages, without_system=columns.without_system)
    else:
        answer_column = columns.output
        values = [_text(place, row, columns.input, columns, names, lenient)]
        if columns.choices is None:
            values.append(_text(place, row, columns.output, columns, names, lenient))
        else:
            choices = read_choices(place, columns.choices, _present(place, row, columns.choices, columns))
            answer = _value(place, row, columns.output, columns, names)
            letter = answer_letter(place, columns.output, answer, choices)
            values = [choices.render(values[0]) if values[0].strip() else "", letter]
    for column, value in zip((columns.used[0], answer_column), values, strict=True):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise TaskError(f'{place}: field "{column}" holds half of a surrogate pair, which is no text')
    example = Example(values[0], values[1].strip())
    if not example.output:
        raise TaskError(f'{place}: field "{answer_column}" is empty; every example needs an answer')
    if (lenient or columns.choices is not None) and not example.input.strip():
        raise TaskError(f'{place}: field "{columns.used[0]}" is empty; every example needs an input')
    if allowed is not None and example.output not in allowed:
        raise TaskError(
            f'{place}: output "{example.output}" is not among the {len(allowed)} labels'
            f"{nearest(example.output, allowed)}; mend the row or the list of labels"
        )
    return example


def _present(place: str, row: dict[str, Any], column: str, columns: Columns) -> Any:
    value = row.get(column)
    if value is None:
        needed = " and ".join(f'"{name}"' for name in columns.used)
        raise TaskError(
            f'{place}: field "{column}" is missing{nearest(column, map(str, row))}; every line needs {needed}'
        )
    return value


def _text(
    place: str,
    row: dict[str, Any],
    column: str,
    columns: Columns,
    names: dict[str, tuple[str, ...]],
    lenient: bool,
) -> str:
    value = _value(place, row, column, columns, names)
    if isinstance(value, str):
        return value
    if lenient and isinstance(value, (bool, int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise TaskError(f'{place}: field "{column}" is {value!r}; it must be text in quotes')


def _value(place: str, row: dict[str, Any], column: str, columns: Columns, names: dict[str, tuple[str, ...]]) -> Any:
    """Return what a field holds, an integer with a name as its name."""
    value = _present(place, row, column, columns)
    if column in names and isinstance(value, int):
        if not 0 <= value < len(names[column]):
            raise TaskError(
                f'{place}: field "{column}" is {value}, which names none of its {len(names[column])} labels; '
                "a split without labels cannot be learned from or scored"
            )
        return names[column][value]
    return value
