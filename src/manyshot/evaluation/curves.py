"""The free curve of a model on tasks: loss and greedy accuracy at every number of shots, one pass a task and draw.

Queries are the demonstrations themselves, each read behind those before it, so the curve costs one pass, and its points are one
answer each: averaged over draws and tasks they show the shape between the few shot counts of a full evaluation.
"""

from collections.abc import Sequence
from pathlib import Path

from manyshot.episodes import build_episode, draw_demonstrations
from manyshot.evaluation.options import EvaluationOptions
from manyshot.files import json_line, read_lines, write_text
from manyshot.inference import Reader, free_curve
from manyshot.records import CURVES
from manyshot.tasks import Task


def write_curves(
    folder: Path, method: str, tasks: Sequence[Task], reader: Reader, options: EvaluationOptions, seed: int
) -> None:
    """Add a method's curves to curves.jsonl: a line a task and draw, `nll` in nats and `right` 0 or 1 by number of shots."""
    place = Path(folder) / CURVES
    rows = [row for _, row in read_lines(place) if row["method"] != method] if place.is_file() else []
    for task in tasks:
        for draw in range(options.draws):
            chosen = draw_demonstrations(task, max(options.shots) + 1, seed, draw)
            encoded = reader.encoder.examples(task, [task.train[i] for i in chosen])
            room = (reader.window or 1 << 60) - len(encoded.header)
            n = int((encoded.lengths.cumsum() <= room).sum())
            if n == 0:
                continue
            curve = free_curve(reader.model, build_episode(encoded, range(n)))
            nll = [round(float(value), 4) for value in curve.nll]
            right = [int(value) for value in curve.right]
            rows.append({"method": method, "task": task.name, "draw": draw, "nll": nll, "right": right})
    write_text(place, "".join(map(json_line, rows)))
