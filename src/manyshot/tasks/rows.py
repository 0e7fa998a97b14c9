"""Rows into examples: which fields are input and output, integer labels by name, conversations by their last answer."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyshot.errors import TaskError, nearest
from manyshot.tasks.tables import Table, parse_json_line
from manyshot.tasks.task import Example


@dataclass(frozen=True, slots=True)
class Columns:
    """Which fields of a row make an example: an input and an output, or a list of messages."""

    input: str = "input"
    output: str = "output"
    messages: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the fields that are read."""
        return (self.input, self.output) if self.messages is None else (self.messages,)


def read_examples(
    table: Table, columns: Columns, labels: Sequence[str] | None = None, *, lenient: bool = False
) -> Iterator[tuple[int, Example | TaskError]]:
    """Yield (number, example or fault) for every row of a table.

    Outputs lose surrounding white space, which no metric counts and which would change the answer's tokens. An integer in
    a column with label names becomes its name. `lenient` also takes other numbers and truth values as text, and refuses
    empty inputs, as is right for a table that nobody wrote for this purpose.
    """
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
    if type(text) is not str or type(answer) is not str or columns.messages is not None:
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
        values = conversation(place, _present(place, row, columns.messages, columns))
    else:
        answer_column = columns.output
        values = [_text(place, row, column, columns, names, lenient) for column in columns.used]
    for column, value in zip((columns.used[0], answer_column), values, strict=True):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise TaskError(f'{place}: field "{column}" holds half of a surrogate pair, which is no text')
    example = Example(values[0], values[1].strip())
    if not example.output:
        raise TaskError(f'{place}: field "{answer_column}" is empty; every example needs an answer')
    if lenient and not example.input.strip():
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
    value = _present(place, row, column, columns)
    if column in names and isinstance(value, int):
        if not 0 <= value < len(names[column]):
            raise TaskError(
                f'{place}: field "{column}" is {value}, which names none of its {len(names[column])} labels; '
                "a split without labels cannot be learned from or scored"
            )
        return names[column][value]
    if isinstance(value, str):
        return value
    if lenient and isinstance(value, (bool, int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise TaskError(f'{place}: field "{column}" is {value!r}; it must be text in quotes')


def conversation(place: str, messages: Any) -> list[str]:
    """Return [input, output] of a list of {role, content}: the last assistant turn, and all that precedes it.

    One user turn before it is the input as it is; of more turns each is headed by its role.
    """
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise TaskError(f"{place}: messages must be a list of objects with role and content")
    answers = [i for i, message in enumerate(messages) if message.get("role") == "assistant"]
    if not answers or answers[-1] == 0:
        raise TaskError(f"{place}: messages hold no assistant turn behind a user turn; the last one is the answer")
    before = messages[: answers[-1]]
    output = _content(place, messages[answers[-1]])
    if len(before) == 1 and before[0].get("role") == "user":
        return [_content(place, before[0]), output]
    turns = [f"{str(message.get('role')).capitalize()}: {_content(place, message)}" for message in before]
    return ["\n".join(turns), output]


def _content(place: str, message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise TaskError(f"{place}: a {message.get('role')} turn has content {content!r}; only text is read")
    return content
