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
from manyshot.evaluation.stress import stressed, unstressed
from manyshot.records import Prediction, Score, read_predictions, read_scores
from manyshot.tasks.metrics import encode_labels

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
    everything = read_scores(folder)
    scores = [score for score in everything if stressed(score.method) is None]
    if not scores:
        raise RunError(f"{folder}: no scores yet; evaluate first")
    results = task_scores(everything, read_predictions(folder))
    families = {score.task: score.family for score in scores}
    methods = list(dict.fromkeys(score.method for score in scores))
    methods += [name for name in extras if name not in methods]
    base = base if base in methods else "base" if "base" in methods else methods[0]
    groups = _groups(scores, roles)
    stress = _stress(everything, results, groups, families)
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
        **({"stress": stress} if stress else {}),
    }


def task_scores(scores: Sequence[Score], predictions: Sequence[Prediction]) -> dict[_Key, TaskScores]:
    """Return what every (method, task, shots) scored, by draw and query; `scores` say which metric it is under."""
    macro = {(score.method, score.task) for score in scores if score.metric == "macro_f1"}
    cells: dict[_Key, dict[int, list[Any]]] = {}
    for p in sorted(predictions, key=lambda p: (*p.cell, p.query)):
        cells.setdefault((p.method, p.task, p.shots), {}).setdefault(p.draw, []).append(p)
    results: dict[_Key, TaskScores] = {}
    for key, draws in cells.items():
        rows = [draws[d] for d in sorted(draws)]
        correct = np.array([[p.correct for p in row] for row in rows], float)
        queries = np.array([p.query for p in rows[0]])
        if key[:2] not in macro:
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


def _stress(
    scores: Sequence[Score],
    results: Mapping[_Key, TaskScores],
    groups: Mapping[str, tuple[list[str], list[int]]],
    families: Mapping[str, str],
) -> dict[str, Any]:
    """Return method -> stress -> curve -> shots: the plain and the stressed score on the tasks that have both, with the
    paired difference, its interval, and the standard deviation of either over draws (under `order`: over orders)."""
    out: dict[str, Any] = {}
    for name in sorted({score.method for score in scores if stressed(score.method)}):
        method, of_method = unstressed(name), {}
        for group, (tasks, shots) in groups.items():
            both = [t for t in tasks if all((m, t, k) in results for m in (name, method) for k in shots)]
            for k in shots if both else ():
                pairs = {t: results[name, t, k].paired_with(results[method, t, k]) for t in both}
                by_draw = [family_mean({t: pair[i].by_draw() for t, pair in pairs.items()}, families) for i in (0, 1)]
                change = family_mean({t: a.resampled(t) - b.resampled(t) for t, (a, b) in pairs.items()}, families)
                of_method.setdefault(group, {"n_tasks": len(both), "shots": {}})["shots"][str(k)] = {
                    "plain": round(float(by_draw[1].mean()), 6),
                    "stressed": round(float(by_draw[0].mean()), 6),
                    "difference": round(float(by_draw[0].mean() - by_draw[1].mean()), 6),
                    "ci95": interval(change),
                    "plain_std": _spread_of(by_draw[1]),
                    "stressed_std": _spread_of(by_draw[0]),
                }
        out.setdefault(method, {})[stressed(name)] = of_method
    return out


def _spread_of(by_draw: np.ndarray) -> float | None:
    return round(float(by_draw.std(ddof=1)), 6) if len(by_draw) > 1 else None
