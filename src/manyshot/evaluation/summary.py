"""summary.json from a run folder's records: curves over shots by role and family, intervals, worst draws, differences.

Every point of one curve is a mean over the same tasks: those that allow the curve's largest number of shots. Tasks that
allow fewer have a curve of their own, `<role>_to_<k>`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyshot.errors import RunError
from manyshot.evaluation.intervals import TaskScores, draw_interval, family_mean, interval
from manyshot.evaluation.metrics import encode_labels
from manyshot.records import Score, read_predictions, read_scores

_Key = tuple[str, str, int]


def summarise(
    folder: str | Path,
    roles: Mapping[str, str],
    extras: Mapping[str, Mapping[str, Any]],
    base: str | None = None,
) -> dict[str, Any]:
    """Return the summary of all methods in a run folder.

    `roles` says of each task whether it is seen, dev, held_out or near; `extras` adds fields by method (tokens, seconds,
    bits per byte). Differences are taken from `base`; a task that allows none of the numbers of shots is in no curve.
    """
    scores = read_scores(folder)
    if not scores:
        raise RunError(f"{folder}: no scores yet; evaluate first")
    results = _results(folder)
    families = {score.task: score.family for score in scores}
    methods = list(dict.fromkeys(score.method for score in scores))
    methods += [name for name in extras if name not in methods]
    base = base if base in methods else "base" if "base" in methods else methods[0]
    groups = _groups(scores, roles)
    return {
        "methods": {
            method: {**_method(method, scores, results, groups, families), **extras.get(method, {})}
            for method in methods
        },
        "base": base,
        "seeds": [0],
        "n_tasks": {name: len(tasks) for name, (tasks, _) in groups.items()},
        "floors": {name: _floor(tasks, scores, families) for name, (tasks, _) in groups.items()},
        "differences": _differences(base, methods, results, groups, families),
    }


def _results(folder: str | Path) -> dict[_Key, TaskScores]:
    """Return the scores of every (method, task, shots) from the predictions."""
    macro = {score.task for score in read_scores(folder) if score.metric == "macro_f1"}
    cells: dict[_Key, dict[int, list[Any]]] = {}
    for p in sorted(read_predictions(folder), key=lambda p: (*p.cell, p.query)):
        cells.setdefault((p.method, p.task, p.shots), {}).setdefault(p.draw, []).append(p)
    results: dict[_Key, TaskScores] = {}
    for key, draws in cells.items():
        rows = [draws[d] for d in sorted(draws)]
        correct = np.array([[p.correct for p in row] for row in rows], float)
        queries = np.array([p.query for p in rows[0]])
        if key[1] not in macro:
            results[key] = TaskScores(correct, queries=queries)
            continue
        n = len(rows[0])
        flat = [p for row in rows for p in row]
        predicted, targets = encode_labels([p.prediction for p in flat], [p.target for p in flat])
        results[key] = TaskScores(correct, predicted.reshape(-1, n), targets[:n], queries)
    return results


def _groups(scores: Sequence[Score], roles: Mapping[str, str]) -> dict[str, tuple[list[str], list[int]]]:
    """Return for each curve its tasks and its shot counts."""
    asked = sorted({score.shots for score in scores})
    allowed: dict[str, int] = {}
    for score in scores:
        if score.actual_shots == score.shots:
            allowed[score.task] = max(score.shots, allowed.get(score.task, 0))
    for score in scores:  # a task short in any draw or method is short
        if score.actual_shots < score.shots:
            below = [k for k in asked if k < score.shots]
            allowed[score.task] = min(allowed.get(score.task, 0), max(below, default=0))
    groups: dict[str, tuple[list[str], list[int]]] = {}
    for task, most in sorted(allowed.items()):
        role = roles.get(task, "held_out")
        name = role if most == asked[-1] else f"{role}_to_{most}"
        groups.setdefault(name, ([], [k for k in asked if k <= most]))[0].append(task)
    return {name: group for name, group in groups.items() if group[1]}


def _method(
    method: str,
    scores: Sequence[Score],
    results: Mapping[_Key, TaskScores],
    groups: Mapping[str, tuple[list[str], list[int]]],
    families: Mapping[str, str],
) -> dict[str, Any]:
    out: dict[str, Any] = {"families": {}, "tasks": {}, "worst_draw": {}, "ci95": {"families": {}, "tasks": {}}}
    out["ci95_draws"] = {}
    for name, (tasks, shots) in groups.items():
        if any((method, task, k) not in results for task in tasks for k in shots):
            continue
        curves: dict[str, dict[str, Any]] = {key: {} for key in ("mean", "ci", "worst", "draws")}
        by_family: dict[str, dict[str, float]] = {}
        ci_family: dict[str, dict[str, list[float]]] = {}
        for k in shots:
            by_draw = {task: results[method, task, k].by_draw() for task in tasks}
            resampled = {task: results[method, task, k].resampled(task) for task in tasks}
            mean = family_mean(by_draw, families)
            curves["mean"][str(k)] = round(float(mean.mean()), 6)
            curves["ci"][str(k)] = interval(family_mean(resampled, families))
            curves["worst"][str(k)] = round(float(mean.min()), 6)
            curves["draws"][str(k)] = draw_interval(mean)
            for family in sorted({families[task] for task in tasks}):
                mine = [task for task in tasks if families[task] == family]
                value = np.mean([by_draw[task].mean() for task in mine])
                by_family.setdefault(family, {})[str(k)] = round(float(value), 6)
                ci_family.setdefault(family, {})[str(k)] = interval(np.mean([resampled[t] for t in mine], axis=0))
        out[name] = curves["mean"]
        out["ci95"][name], out["worst_draw"][name], out["ci95_draws"][name] = (
            curves["ci"],
            curves["worst"],
            curves["draws"],
        )
        if name == _main_group(groups):
            out["families"], out["ci95"]["families"] = by_family, ci_family
        for task in tasks:
            last = results[method, task, shots[-1]]
            floor = next(s.floor for s in scores if s.task == task)
            out["tasks"][task] = {"score": round(last.score(), 6), "floor": floor, "shots": shots[-1]}
            out["ci95"]["tasks"][task] = interval(last.resampled(task))
    return out


def _main_group(groups: Mapping[str, Any]) -> str:
    """Return the curve that a reader looks at first."""
    return next((name for name in ("held_out", "seen", "dev", "near") if name in groups), next(iter(groups)))


def _floor(tasks: Sequence[str], scores: Sequence[Score], families: Mapping[str, str]) -> float:
    """Return the mean floor of a curve, averaged as its scores are."""
    floors = {score.task: np.array([score.floor]) for score in scores if score.task in tasks}
    return round(float(family_mean(floors, families)[0]), 6)


def _differences(
    base: str,
    methods: Sequence[str],
    results: Mapping[_Key, TaskScores],
    groups: Mapping[str, tuple[list[str], list[int]]],
    families: Mapping[str, str],
) -> dict[str, Any]:
    """Return paired differences of every method from the base, on the queries that both scored, with intervals."""
    out: dict[str, Any] = {}
    for method in methods:
        for name, (tasks, shots) in groups.items() if method != base else ():
            for k in shots:
                if not all((m, task, k) in results for task in tasks for m in (method, base)):
                    continue
                pairs = {task: results[method, task, k].paired_with(results[base, task, k]) for task in tasks}
                means = {task: np.array([a.score() - b.score()]) for task, (a, b) in pairs.items()}
                resampled = {task: a.resampled(task) - b.resampled(task) for task, (a, b) in pairs.items()}
                mean = round(float(family_mean(means, families)[0]), 6)
                point = {"mean": mean, "ci95": interval(family_mean(resampled, families))}
                out.setdefault(f"{method}-{base}", {}).setdefault(name, {})[str(k)] = point
    return out
