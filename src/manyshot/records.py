"""Rows and names of a run folder: what each file holds, how it is appended to, and how it is read back. Stdlib only."""

import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from manyshot.errors import RunError
from manyshot.files import append_lines, json_line, read_json, read_lines, write_json, write_text

RECIPE = "recipe.yaml"
MANIFEST = "manifest.json"
METRICS = "metrics.jsonl"
TIMINGS = "timings.jsonl"
CHECKPOINTS = "checkpoints"
MODEL = "model"
PREDICTIONS = "predictions.jsonl"
SCORES = "scores.jsonl"
SUMMARY = "summary.json"
# what is known of a method besides its scores, kept until the summary is made
EXTRAS = "extras.json"
CURVES = "curves.jsonl"
# a few queries of a study with prompt and answers, for its page
EXAMPLES = "examples.json"
RETENTION = "retention.json"
REPORT = "report.html"
FIGURES = "figures"


class _Row:
    """A frozen dataclass that is one line of a .jsonl file."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Build from a line's object; fields that this version does not know are left out."""
        return cls(**{f.name: value[f.name] for f in fields(cls)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Prediction(_Row):
    """One query under one method, shot count and draw of demonstrations."""

    method: str
    task: str
    shots: int
    actual_shots: int
    """Demonstrations that the pool and the model's window allowed, at most `shots`."""
    draw: int
    query: int
    """Line in the task's test file, from 0."""
    prediction: str
    target: str
    correct: float
    """The metric on this query alone, 0 to 1."""
    logprob: float
    """Of the predicted answer, in nats."""

    @property
    def cell(self) -> tuple[str, str, int, int]:
        """Return what the prediction belongs to."""
        return self.method, self.task, self.shots, self.draw


@dataclass(frozen=True, slots=True)
class Score(_Row):
    """One cell: a method on a task with a number of shots and one draw of demonstrations."""

    method: str
    task: str
    family: str
    metric: str
    shots: int
    actual_shots: int
    draw: int
    n: int
    score: float
    floor: float
    """What always answering the most frequent label would score; 0 for free text."""

    @property
    def cell(self) -> tuple[str, str, int, int]:
        """Return what the score belongs to."""
        return self.method, self.task, self.shots, self.draw


class CellLog:
    """Predictions and scores of a run, appended cell by cell and resumable after a kill at any moment.

    A cell counts once its score is on disk, which happens after its predictions are.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.scores = list(_read(self.folder / SCORES, Score))
        self.done = {score.cell for score in self.scores}
        if (self.folder / PREDICTIONS).is_file():
            self._rewrite(PREDICTIONS, [p for p in _read(self.folder / PREDICTIONS, Prediction) if p.cell in self.done])
            self._rewrite(SCORES, self.scores)

    def add(self, score: Score, predictions: Sequence[Prediction]) -> None:
        """Append one finished cell."""
        append_lines(self.folder / PREDICTIONS, map(asdict, predictions))
        append_lines(self.folder / SCORES, [asdict(score)])
        self.scores.append(score)
        self.done.add(score.cell)

    def finish(self) -> None:
        """Sort both files, so that a resumed run leaves the same bytes as an uninterrupted one."""
        self._rewrite(SCORES, sorted(self.scores, key=lambda s: s.cell))
        predictions = list(_read(self.folder / PREDICTIONS, Prediction))
        self._rewrite(PREDICTIONS, sorted(predictions, key=lambda p: (*p.cell, p.query)))

    def _rewrite(self, name: str, rows: Iterable[Any]) -> None:
        write_text(self.folder / name, "".join(json_line(asdict(row)) for row in rows))


def read_predictions(folder: str | Path) -> list[Prediction]:
    """Return the predictions of a run folder."""
    return _read_or_fail(Path(folder) / PREDICTIONS, Prediction)


def read_scores(folder: str | Path) -> list[Score]:
    """Return the scores of a run folder."""
    return _read_or_fail(Path(folder) / SCORES, Score)


def count_held_out_reads(folder: str | Path, n: int = 1) -> None:
    """Count in the manifest how often held-out tasks were read: once a model is the honest number."""
    place = Path(folder) / MANIFEST
    manifest = read_json(place)
    write_json(place, {**manifest, "held_out_reads": manifest.get("held_out_reads", 0) + n})


def versions() -> dict[str, str]:
    """Return the versions of what results depend on."""
    found = {"python": sys.version.split()[0]}
    for name in ("manyshot", "torch", "transformers", "peft", "accelerate", "tokenizers", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def hardware() -> dict[str, Any]:
    """Return what the run ran on."""
    import os

    return {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}


def _read(path: Path, kind: type[Any]) -> Iterable[Any]:
    if not path.is_file():
        return []
    rows = []
    for number, value in read_lines(path, drop_torn_end=True):
        try:
            rows.append(kind.from_json(value))
        except KeyError as error:
            raise RunError(f"{path}:{number}: field {error} is missing; the file is not of this version") from None
    return rows


def _read_or_fail(path: Path, kind: type[Any]) -> list[Any]:
    if not path.is_file():
        raise RunError(f"{path}: no such file; give the folder of a run that has evaluated something")
    return list(_read(path, kind))
