"""What stages wrote of themselves into metrics.jsonl and timings.jsonl: taken back where a run goes on, summed at its end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.files import json_line, read_lines, write_text


def forget_after(folder: Path, stage: str, step: int) -> None:
    """Drop log lines of steps that will be done again, and the line that said the stage was done."""
    for name in (records.METRICS, records.TIMINGS):
        place = folder / name
        if place.is_file():
            rows = [row for _, row in read_lines(place, drop_torn_end=True)]
            kept = [
                row for row in rows if row["stage"] != stage or (row.get("step", 0) <= step and not row.get("done"))
            ]
            write_text(place, "".join(map(json_line, kept)))


def consumed(folder: Path, stages: Sequence[str]) -> dict[str, Any]:
    """Return `{"trained_tokens", "supervised_answers", "seconds"}` of these stages together, which must be done."""
    done = [row for _, row in read_lines(folder / records.METRICS) if row.get("done") and row["stage"] in stages]
    clocked = [row for _, row in read_lines(folder / records.TIMINGS) if row["stage"] in stages and "seconds" in row]
    return {
        "trained_tokens": sum(row["tokens"] for row in done),
        "supervised_answers": sum(row["answers"] for row in done),
        "seconds": round(sum(row["seconds"] for row in clocked), 1),
    }
