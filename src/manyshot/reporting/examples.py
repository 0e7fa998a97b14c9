"""A few predictions to look at: per task, some that are right and some that are wrong."""

from collections.abc import Sequence

from manyshot.records import Prediction
from manyshot.reporting.tables import Table

# whose answers are shown, where there are several methods
_SHOWN = ("tuned", "manyicl")


def example_table(predictions: Sequence[Prediction], n_tasks: int = 12) -> Table | None:
    """Return, for the last method at its largest number of shots, one right and one wrong answer a task."""
    if not predictions:
        return None
    methods = {p.method for p in predictions}
    method = next((name for name in _SHOWN if name in methods), predictions[-1].method)
    rows = []
    most = max(p.shots for p in predictions)
    tasks = list(dict.fromkeys(p.task for p in predictions))[:n_tasks]
    for task in tasks:
        mine = [p for p in predictions if p.method == method and p.task == task and p.shots == most and p.draw == 0]
        right = next((p for p in mine if p.correct >= 0.5), None)
        wrong = next((p for p in mine if p.correct < 0.5), None)
        for p in (right, wrong):
            if p is not None:
                verdict = f"{p.correct:.2f}"
                rows.append((task, str(p.query), _short(p.prediction), _short(p.target), verdict, f"{p.logprob:.2f}"))
    head = ("task", "query", "prediction", "target", "score", "log-probability")
    return Table(f"some answers of {method} at {most} shots", head, tuple(rows))


def _short(text: str, limit: int = 90) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
