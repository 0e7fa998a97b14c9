"""Table: rows of a jsonl, csv, tsv or parquet file as they stand there. A faulty row is handed on as its fault, not raised.

So one reader can stop at the first fault and another can name them all.
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from manyshot.errors import TaskError

FILE_KINDS = (".jsonl", ".csv", ".tsv", ".parquet")
# what stands between the fields of a row
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# a line of a .jsonl file that is no row
BLANK = object()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with named fields, and the names behind integer labels. Can be iterated over again and again."""

    place: str
    """File, or data set and split: what stands before `:NUMBER` when a row is named."""
    columns: tuple[str, ...]
    """Names of the fields; empty where the file has no head (jsonl)."""
    label_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> names of its integers 0, 1, 2, ... (a ClassLabel of `datasets`)."""
    source: Any = None
    """What `rows` reads: a path, or a `datasets.Dataset`; None where there are parts."""
    parts: tuple["Table", ...] = ()
    """The files of a split of several, each with a place of its own."""

    def rows(self) -> Iterator[tuple[int, Any]]:
        """Yield (number, row or TaskError): a line of a text file, else the row's number, both from 1 in each part."""
        if self.parts:
            for part in self.parts:
                yield from part.rows()
        elif not isinstance(self.source, Path):
            yield from enumerate(self.source, start=1)
        elif kind_of(self.source) == ".jsonl":
            yield from _jsonl_rows(self.source)
        elif kind_of(self.source) in _SEPARATORS:
            yield from _csv_rows(self.source)
        else:
            yield from _parquet_rows(self.source)


def kind_of(path: Path) -> str:
    """Return a file's suffix in small letters: one of FILE_KINDS where rows can be read from it."""
    return path.suffix.lower()


def open_table(path: str | Path) -> Table:
    """Open a .jsonl, .csv, .tsv or .parquet file; raises TaskError where there is none or its head cannot be read."""
    file = Path(path)
    if kind_of(file) not in FILE_KINDS:
        raise TaskError(
            f"{file}: rows are read from {', '.join(FILE_KINDS)}; a data set on the Hub is written hub:NAME"
        )
    if not file.is_file():
        raise TaskError(f"{file}: no such file")
    if kind_of(file) == ".parquet":
        return _open_parquet(file)
    columns = _csv_head(file) if kind_of(file) in _SEPARATORS else ()
    return Table(str(file), columns, source=file)


def join_tables(place: str, parts: Sequence[Table]) -> Table:
    """Return several files as one table, whose columns are those that all heads name; none where a part has no head."""
    if len(parts) == 1:
        return parts[0]
    shared = tuple(c for c in parts[0].columns if all(c in part.columns for part in parts))
    return Table(place, shared, parts[0].label_names, parts=tuple(parts))


def as_table(dataset: Any, place: str) -> Table:
    """Return a `datasets.Dataset` as a table, its ClassLabel columns with their names."""
    names = {
        column: tuple(feature.names)
        for column, feature in dataset.features.items()
        if type(feature).__name__ == "ClassLabel" and feature.names
    }
    return Table(place, tuple(dataset.column_names), names, dataset)


def import_extra(name: str, purpose: str) -> Any:
    """Import a package of the `data` extra, or say how to get it."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise TaskError(
            f'{purpose} needs the package {name.split(".")[0]}; install it with: pip install "manyshot[data]"'
        ) from None


def _jsonl_rows(file: Path) -> Iterator[tuple[int, Any]]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            if (row := parse_json_line(file, number, raw)) is not BLANK:
                yield number, row


def parse_json_line(file: Path, number: int, raw: bytes) -> Any:
    """Return the value of one line, BLANK for white space, or the TaskError that says what is wrong with it."""
    try:
        # json.loads reads bytes too, but takes other encodings for JSON
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        return json.loads(line) if line.strip() else BLANK
    except UnicodeDecodeError:
        return TaskError(f"{file}:{number}: not UTF-8 text; save it as UTF-8")
    except json.JSONDecodeError as error:
        return TaskError(
            f"{file}:{number}: not valid JSON ({error.msg} at column {error.colno}); every line must be one JSON object"
        )


def _csv_records(file: Path) -> Iterator[tuple[int, int, list[str] | csv.Error]]:
    """Yield (first line, last line, fields or error) of each record; blank lines are none."""
    # the module's own limit refuses long texts
    csv.field_size_limit(sys.maxsize)
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=_SEPARATORS[kind_of(file)], strict=True)
        while True:
            first = reader.line_num + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError:
                raise _not_utf8(file) from None
            except csv.Error as error:
                # the reader goes on at the next line
                yield first, max(first, reader.line_num), error
                continue
            if record:
                yield first, reader.line_num, record


def _not_utf8(file: Path) -> TaskError:
    data, line = file.read_bytes(), 1
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    return TaskError(f"{file}:{line}: not UTF-8 text; save it as UTF-8")


def _csv_head(file: Path) -> tuple[str, ...]:
    for first, _, head in _csv_records(file):
        if isinstance(head, csv.Error) or len(head) == 1:
            _refuse_other_separator(file, first)
        if isinstance(head, csv.Error):
            raise TaskError(f"{file}:{first}: not valid CSV ({head})")
        if len(set(head)) < len(head):
            raise TaskError(f"{file}:{first}: the head {head} names a column twice; give each a name of its own")
        return tuple(head)
    raise TaskError(f"{file}: holds no examples; the first line names the columns")


def _refuse_other_separator(file: Path, number: int) -> None:
    """Raise TaskError where the head, which makes no columns as it stands, makes some with another separator."""
    kind = kind_of(file)
    own = _NAMES[_SEPARATORS[kind]]
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        head = next(islice(text, number - 1, None)).strip("\r\n")
    for separator, other in _NAMES.items():
        if other == own or separator not in head:
            continue
        named = next((f", or name it {k}" for k, s in _SEPARATORS.items() if s == separator), "")
        raise TaskError(
            f"{file}:{number}: the head {head[:80]!r} has a {other} between its columns where a {kind} file has a {own}; "
            f"save it with the separator {own}{named}"
        )


def _csv_rows(file: Path) -> Iterator[tuple[int, Any]]:
    head: list[str] | None = None
    for first, last, record in _csv_records(file):
        lines = "" if first == last else f" (the row goes on to line {last})"
        if isinstance(record, csv.Error):
            yield first, TaskError(f"{file}:{first}: not valid CSV ({record}){lines}")
        elif head is None:
            head = record
        elif len(record) != len(head):
            yield (
                first,
                TaskError(
                    f"{file}:{first}: {len(record)} fields where the head names {len(head)}{lines}; "
                    f"quote texts that hold a {_NAMES[_SEPARATORS[kind_of(file)]]}"
                ),
            )
        else:
            yield first, dict(zip(head, record, strict=True))


def _open_parquet(file: Path) -> Table:
    parquet = import_extra("pyarrow.parquet", "reading parquet files")
    try:
        schema = parquet.read_schema(file)
    except (OSError, ValueError) as error:
        raise TaskError(f"{file}: not a parquet file ({' '.join(str(error).split())[:120]})") from None
    return Table(str(file), tuple(schema.names), _names_in(schema.metadata or {}), file)


def _names_in(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Return the label names that `datasets` leaves in a file's metadata."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {
        column: tuple(feature["names"])
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    parquet = import_extra("pyarrow.parquet", "reading parquet files")
    number = 0
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield number, row
