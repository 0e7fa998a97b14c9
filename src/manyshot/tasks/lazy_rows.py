r"""LazyRows: the examples of a large .jsonl file, read from it when asked for. Memory holds eight bytes a row.

    file    {"input": ...}\n{"input": ...}\n\n{"input": ...}\n
    starts  0               16                33                   blank lines are none

Opening finds line ends and nothing else; a row is parsed, and refused by file and line, when it is read.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyshot.errors import TaskError
from manyshot.files import hash_file, hash_text

if TYPE_CHECKING:
    from manyshot.tasks.task import Example

_BLOCK_BYTES = 1 << 23
_NEWLINE, _BRACE = 10, 123


class LazyRows(Sequence["Example"]):
    """Examples of the lines of a .jsonl file that begin at `starts`: (row,) int64.

    `parse` makes an example of (line number from 1, bytes) or raises TaskError; `checks` is what it compares outputs with, so
    that whoever compares with the same need not read all rows. Holds no open file, so that it can be pickled and forked.
    """

    def __init__(
        self, file: Path, starts: np.ndarray, parse: Callable[[int, bytes], "Example"], checks: tuple[Any, ...] = ()
    ) -> None:
        self.file, self.starts, self.parse, self.checks = file, starts, parse, checks

    @classmethod
    def open(cls, file: Path, parse: Callable[[int, bytes], "Example"], checks: tuple[Any, ...] = ()) -> "LazyRows":
        """Find the rows of a file; nothing of them is kept."""
        return cls(file, _row_starts(file), parse, checks)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return list(self._read(self.starts[i]))
        at = range(len(self))[i]
        return next(self._read(self.starts[at : at + 1]))

    def __iter__(self) -> Iterator["Example"]:
        return self._read(self.starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def without(self, rows: set[int]) -> "LazyRows":
        """Return the rows but for those at these positions."""
        keep = np.ones(len(self), bool)
        keep[list(rows)] = False
        return LazyRows(self.file, self.starts[keep], self.parse, self.checks)

    def fingerprint(self) -> str:
        """Return digits that change when a row, or what outputs are compared with, changes; reads bytes, parses nothing."""
        chosen = hashlib.sha256(np.ascontiguousarray(self.starts).data).hexdigest()
        return hash_text(hash_file(self.file), chosen, repr(self.checks))

    def _read(self, starts: np.ndarray) -> Iterator["Example"]:
        """Yield the examples that begin at these places, in their order; neighbours cost no search in the file."""
        with self.file.open("rb") as lines:
            at = 0
            for start in map(int, starts):
                if start != at:
                    lines.seek(start)
                raw = lines.readline()
                at = start + len(raw)
                try:
                    # numbers of lines are not kept: only a fault needs one, and the first line may begin with a mark
                    example = self.parse(0 if start else 1, raw)
                except TaskError:
                    self.parse(_line_number(self.file, start), raw)
                    raise
                yield example


def _row_starts(file: Path) -> np.ndarray:
    """Return where each line begins that is not blank: (row,) int64."""
    found: list[np.ndarray] = []
    with file.open("rb") as opened, file.open("rb") as again:
        at, begun = 0, True
        while block := opened.read(_BLOCK_BYTES):
            codes = np.frombuffer(block, np.uint8)
            ends = np.flatnonzero(codes == _NEWLINE) + 1
            starts = ends[:-1] if len(ends) and ends[-1] == len(block) else ends
            if begun:
                starts = np.concatenate([[0], starts])
            # a row is an object; only a line that begins with something else can be blank
            odd = np.flatnonzero(codes[starts] != _BRACE)
            keep = np.ones(len(starts), bool)
            for i in odd.tolist():
                again.seek(at + int(starts[i]))
                keep[i] = not _is_blank(again.readline(), is_first=at + starts[i] == 0)
            found.append(starts[keep].astype(np.int64) + at)
            begun = block.endswith(b"\n")
            at += len(block)
    return np.concatenate([np.empty(0, np.int64), *found])


def _is_blank(raw: bytes, *, is_first: bool) -> bool:
    try:
        return not raw.decode("utf-8-sig" if is_first else "utf-8").strip()
    except UnicodeDecodeError:
        return False


def _line_number(file: Path, start: int) -> int:
    """Return the number from 1 of the line that begins at a byte."""
    number, at = 1, 0
    with file.open("rb") as opened:
        while at < start:
            block = opened.read(min(_BLOCK_BYTES, start - at))
            number, at = number + block.count(b"\n"), at + len(block)
            if not block:
                break
    return number


def lines_with_line_ends(file: Path, column: str | None) -> Iterator[bytes]:
    """Yield every line whose text in `column` may hold a line end, as JSON spells it; with None, in any text.

    Much faster than parsing, because hardly a line has one in its output.
    """
    spelled = rb"\\(?:n|u000[aA])"
    name = column if column is not None and column.isascii() and json.dumps(column)[1:-1] == column else None
    if name is None:
        pattern = re.compile(spelled)
    else:
        # the value up to its first line end; a backslash takes the next character with it
        head = rb'"' + re.escape(name.encode()) + rb'"\s*:\s*"'
        pattern = re.compile(head + rb'(?:[^"\\]++|\\(?!n|u000[aA]).)*+' + spelled)
    with file.open("rb") as lines:
        for lot in iter(partial(lines.readlines, _BLOCK_BYTES), []):
            block = b"".join(lot)
            if (b"\\n" in block or b"\\u000" in block) and pattern.search(block):
                yield from (line for line in lot if pattern.search(line))
