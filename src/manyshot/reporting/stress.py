"""Table of stressed scores beside plain ones, from summary.json."""

from collections.abc import Mapping
from typing import Any

from manyshot.reporting.tables import Table


def stress_table(summary: Mapping[str, Any]) -> Table | None:
    """Return a row a method, stress and curve: stressed less plain score by shots, with 95 % intervals over queries.

    For orders of the same demonstrations the spread over orders stands behind the score, and that over draws behind it.
    """
    rows, shots = [], {}
    for method, by_stress in summary.get("stress", {}).items():
        for stress, curves in by_stress.items():
            for curve, found in curves.items():
                shots.update(dict.fromkeys(found["shots"]))
                cells = {k: _cell(stress, point) for k, point in found["shots"].items()}
                rows.append((method, stress, f"{curve.replace('_', ' ')} ({found['n_tasks']})", cells))
    if not rows:
        return None
    head = ("method", "stress", "tasks", *(f"{k} shots" for k in shots))
    return Table("under stress", head, tuple((*row[:3], *(row[3].get(k, "") for k in shots)) for row in rows))


def _cell(stress: str, point: Mapping[str, Any]) -> str:
    if stress == "order":
        return (
            f"{point['stressed']:.3f} (sd {_deviation(point['stressed_std'])}, draws {_deviation(point['plain_std'])})"
        )
    low, high = point["ci95"]
    return f"{point['stressed']:.3f} ({point['difference']:+.3f} [{low:+.3f}, {high:+.3f}])"


def _deviation(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
