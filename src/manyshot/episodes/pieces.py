"""Pieces: many short id arrays in one flat one, in memory or in a file. Knows nothing about text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np


@dataclass(frozen=True, slots=True)
class Pieces(Sequence[np.ndarray]):
    """Many short id arrays in one flat array: piece i is flat[offsets[k] : offsets[k + 1]] with k = which[i]."""

    flat: "np.ndarray | StoredIds"
    offsets: np.ndarray
    which: np.ndarray | None = None
    """None where no two pieces share an array: k = i."""

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray], which: Sequence[int] | np.ndarray | None = None) -> "Pieces":
        """Store `arrays`; `which` lets many pieces share one of them."""
        collected = Collector()
        collected.add(arrays)
        return collected.pieces(None if which is None else np.asarray(which, np.int64))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each piece: (piece,) int32."""
        lengths = np.diff(self.offsets).astype(np.int32)
        return lengths if self.which is None else lengths[self.which]

    def __len__(self) -> int:
        return len(self.offsets) - 1 if self.which is None else len(self.which)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        return self.take([range(len(self))[i]])[0]

    def take(self, pieces: Sequence[int]) -> list[np.ndarray]:
        """Return several pieces, none of them counted from the end."""
        k = np.asarray(pieces, np.int64) if self.which is None else self.which[pieces]
        flat = self.flat
        bounds = zip(self.offsets[k].tolist(), self.offsets[k + 1].tolist(), strict=True)
        if isinstance(flat, StoredIds):
            return [flat.read(start, end) for start, end in bounds]
        return [flat[start:end] for start, end in bounds]


class StoredIds:
    """A flat int32 array that stays in its file; a part is read when asked for.

    Not a memory map: that would count what was ever read as this process's memory. Reads name their place, so that
    processes which share the open file do not disturb each other.
    """

    def __init__(self, path: Path, begin: int, n: int) -> None:
        self.path, self.begin, self.n = path, begin, n
        # opened at once: the file may be deleted from then on
        self._file = FileIO(path)

    def __len__(self) -> int:
        return self.n

    def read(self, start: int, end: int) -> np.ndarray:
        """Return the ids from `start` to before `end`."""
        return np.frombuffer(_read_at(self._file, 4 * (end - start), self.begin + 4 * start), np.int32)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def __reduce__(self) -> tuple:
        return StoredIds, (self.path, self.begin, self.n)


class Collector:
    """Takes pieces as they come, and keeps their ids in memory or, where it is given one, in a file."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.file, self.n_pieces, self.n_ids = file, 0, 0
        self._ids: list[np.ndarray] = []
        self._lengths: list[np.ndarray] = []

    def add(self, arrays: Sequence[np.ndarray]) -> None:
        """Append pieces."""
        lengths = np.fromiter(map(len, arrays), np.int32, len(arrays))
        ids = np.concatenate([np.empty(0, np.int32), *arrays]).astype(np.int32, copy=False)
        self._lengths.append(lengths)
        self.n_pieces, self.n_ids = self.n_pieces + len(arrays), self.n_ids + len(ids)
        if self.file is None:
            self._ids.append(ids)
        else:
            self.file.write(ids.data)

    def offsets(self) -> np.ndarray:
        """Return where each piece begins, and where the last one ends: (piece + 1,) int64."""
        return np.cumsum(np.concatenate([[0], *self._lengths]), dtype=np.int64)

    def pieces(self, which: np.ndarray | None = None) -> Pieces:
        """Return what was collected in memory."""
        ids = np.concatenate([np.empty(0, np.int32), *self._ids])
        return Pieces(ids, self.offsets(), which)


def _seek_and_read(file: FileIO, n_bytes: int, place: int) -> bytes:
    # Windows starts its workers anew, so no two processes share a file's position there
    file.seek(place)
    return file.read(n_bytes) or b""


def _pread(file: FileIO, n_bytes: int, place: int) -> bytes:
    return os.pread(file.fileno(), n_bytes, place)


_read_at = _pread if hasattr(os, "pread") else _seek_and_read
