"""Paired differences between methods: on the same tasks, queries and demonstrations, with bootstrap intervals over queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manyshot.evaluation import task_scores
from manyshot.evaluation.intervals import family_mean, interval
from manyshot.records import Prediction, Score


def paired_differences(
    scores: Sequence[Score], predictions: Sequence[Prediction], tasks: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return `{"a-b": {shots: {"mean", "ci95", "queries", "queries_needed"}}}` over the tasks, family by family as curves are.

    `queries_needed` is about how many in the place of `queries` would separate the two methods: the interval's half width
    shrinks with their square root. None where the difference is 0. A pair's numbers of shots are those that both were
    judged at; without tasks there are none.
    """
    results = task_scores(scores, predictions)
    families = {score.task: score.family for score in scores}
    shots = sorted({score.shots for score in scores})
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for a, b in pairs:
        for k in shots:
            if tasks and all((m, task, k) in results for task in tasks for m in (a, b)):
                point = _difference({t: results[a, t, k].paired_with(results[b, t, k]) for t in tasks}, families)
                found.setdefault(f"{a}-{b}", {})[str(k)] = point
    return found


def _difference(pairs: Mapping[str, Any], families: Mapping[str, str]) -> dict[str, Any]:
    mean = family_mean({t: np.array([a.score() - b.score()]) for t, (a, b) in pairs.items()}, families)
    resampled = family_mean({t: a.resampled(t) - b.resampled(t) for t, (a, b) in pairs.items()}, families)
    low, high = interval(resampled)
    n_queries = sum(a.correct.shape[1] for a, _ in pairs.values())
    difference = round(float(mean[0]), 6)
    needed = None if difference == 0 else int(np.ceil(n_queries * ((high - low) / 2 / abs(difference)) ** 2))
    return {"mean": difference, "ci95": [low, high], "queries": n_queries, "queries_needed": needed}


def ratio_to_dedicated(scores: Sequence[Score], method: str, shots: int, room: float = 0.10) -> dict[str, Any]:
    """Return how much of a dedicated model's score above the floor a method with demonstrations reaches.

    Over the tasks where the dedicated model, asked without demonstrations, is at least `room` above the floor: ratio of
    the sums of (score - floor), with each task's own. `ratio` is None where no task has the room.
    """
    by_task: dict[str, dict[str, list[float]]] = {}
    floors: dict[str, float] = {}
    for s in scores:
        if (s.method, s.shots) in ((method, shots), ("dedicated_ft", 0)):
            by_task.setdefault(s.task, {}).setdefault(s.method, []).append(s.score)
            floors[s.task] = s.floor
    tasks = {}
    for task, found in sorted(by_task.items()):
        if len(found) == 2:
            above = {name: float(np.mean(values)) - floors[task] for name, values in found.items()}
            if above["dedicated_ft"] >= room:
                tasks[task] = {name: round(value, 6) for name, value in above.items()}
    total = sum(t["dedicated_ft"] for t in tasks.values())
    ratio = round(sum(t[method] for t in tasks.values()) / total, 4) if total else None
    return {"ratio": ratio, "shots": shots, "above_floor": tasks}
