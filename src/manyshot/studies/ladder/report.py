"""What ladder.json holds: the summary of the records, and what only a comparison of methods on equal terms can say.

seeds, learning_rates, meanings    what was trained
learning_rate_scores               method -> learning rate -> mean score on dev, which rates were chosen by
shots                              the largest number of demonstrations, at which claims are judged
tasks                              name -> role (held_out, near, seen) and family
paired, paired_mean                "a-b" -> shots -> 95 % interval and mean of the difference, over held-out tasks
paired_queries_needed              "a-b" -> shots -> about how many queries would separate the two, and how many there are
by_family                          role -> family -> method -> shots -> mean and interval
near                               the same differences over near tasks, which have a twin in training
without_math                       curves and differences on held-out tasks that are not of the family math
to_dedicated, retention            see paired.py and evaluation/retention.py
learning_curves, tokens_to_reach   see learning.py
claims                             see claims.py
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.evaluation import summarise, task_scores
from manyshot.evaluation.intervals import TaskScores, family_mean, interval
from manyshot.evaluation.retention import Judged, measure_retention, read_judged
from manyshot.records import Prediction, Score
from manyshot.studies.jobs import Job
from manyshot.studies.ladder.claims import judge_claims
from manyshot.studies.ladder.learning import tokens_to_reach
from manyshot.studies.ladder.ledger import ledger
from manyshot.studies.ladder.paired import paired_differences, ratio_to_dedicated
from manyshot.studies.methods import BASE, METHODS
from manyshot.studies.preset import LadderPreset
from manyshot.tasks import Task

MATH = "math"
# roles of tasks that no method was tuned on
FOREIGN = ("held_out", "near")
DEDICATED = "dedicated"
_Results = Mapping[tuple[str, str, int], TaskScores]


def ladder_result(
    preset: LadderPreset,
    folder: Path,
    judged: Sequence[tuple[Task, str]],
    rates: Mapping[str, float],
    jobs: Sequence[Job],
    learning: Mapping[str, Any],
    rate_scores: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Return all of ladder.json from the records in a ladder's folder, where everything is trained and judged."""
    scores, predictions = records.read_scores(folder), records.read_predictions(folder)
    extras = ledger(preset, folder, judged, jobs, scores, predictions)
    roles = {task.name: role for task, role in judged}
    summary = summarise(folder, roles, extras, base=BASE)
    results, families = task_scores(scores, predictions), {s.task: s.family for s in scores}
    _add_dedicated(summary, results, scores)
    whole = _whole_tasks(scores, roles)
    others = [m for m in preset.methods if not METHODS[m].dedicated]
    pairs = [(m, BASE) for m in others] + [("manyicl", m) for m in others if "manyicl" in others and m != "manyicl"]
    held_out, most = whole.get("held_out", []), max(preset.shots)
    no_math = [task for task in held_out if families[task] != MATH]
    result = {
        **summary,
        "seeds": preset.seeds,
        "shots": most,
        "learning_rates": dict(rates),
        "learning_rate_scores": rate_scores,
        "meanings": {name: METHODS[name].meaning for name in preset.methods},
        "tasks": {task: {"role": role, "family": families[task]} for task, role in roles.items()},
        **_paired(paired_differences(scores, predictions, held_out, pairs)),
        "near": _paired(paired_differences(scores, predictions, whole.get("near", []), pairs)),
        "by_family": {role: _by_family(results, summary["methods"], names, families) for role, names in whole.items()},
        "without_math": {
            **_curves(results, (BASE, *others), no_math, families),
            **_paired(paired_differences(scores, predictions, no_math, pairs)),
        },
        "to_dedicated": {m: ratio_to_dedicated(scores, m, most) for m in others}
        if "dedicated_ft" in preset.methods
        else {},
        "retention": _retention(preset, folder, judged, jobs, scores, predictions, summary),
        "learning_shots": learning.get("shots"),
        "learning_curves": learning.get("curves", {}),
        "learning_base": learning.get("base"),
        "tokens_to_reach": tokens_to_reach(learning, "manyicl", "few_shot_ft"),
        "preset_hash": preset.hash,
    }
    return {**result, "claims": judge_claims(result)}


def _whole_tasks(scores: Sequence[Score], roles: Mapping[str, str]) -> dict[str, list[str]]:
    """Return role -> tasks whose pool and window allow every number of shots: those of the summary's curve of that name."""
    short = {s.task for s in scores if s.actual_shots < s.shots}
    found: dict[str, list[str]] = {}
    for task, role in sorted(roles.items()):
        if task not in short:
            found.setdefault(role, []).append(task)
    return found


def _paired(differences: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the differences field by field."""

    def field(read: Any) -> dict[str, dict[str, Any]]:
        return {pair: {k: read(point) for k, point in by_shots.items()} for pair, by_shots in differences.items()}

    return {
        "paired": field(lambda p: p["ci95"]),
        "paired_mean": field(lambda p: p["mean"]),
        "paired_queries_needed": field(lambda p: {"needed": p["queries_needed"], "present": p["queries"]}),
    }


def _curves(
    results: _Results, methods: Sequence[str], tasks: Sequence[str], families: Mapping[str, str]
) -> dict[str, Any]:
    """Return curves over held-out tasks in the form of a summary: mean, interval over queries, worst draw."""
    curves: dict[str, Any] = {}
    for method in methods:
        means, bounds, worst = {}, {}, {}
        for k in sorted({k for m, task, k in results if m == method and task in tasks}):
            cells = {task: results[method, task, k] for task in tasks}
            by_draw = family_mean({task: cell.by_draw() for task, cell in cells.items()}, families)
            means[str(k)], worst[str(k)] = round(float(by_draw.mean()), 6), round(float(by_draw.min()), 6)
            bounds[str(k)] = interval(family_mean({t: cell.resampled(t) for t, cell in cells.items()}, families))
        curves[method] = {"held_out": means, "ci95": {"held_out": bounds}, "worst_draw": {"held_out": worst}}
    return {"methods": curves if tasks else {}, "n_tasks": {"held_out": len(tasks)}}


def _by_family(
    results: _Results, methods: Mapping[str, Any], tasks: Sequence[str], families: Mapping[str, str]
) -> dict[str, Any]:
    """Return family -> method -> shots -> mean and interval, of methods that were judged on all of a family's tasks."""
    found: dict[str, Any] = {}
    for family in sorted({families[task] for task in tasks}):
        mine = [task for task in tasks if families[task] == family]
        for method in methods:
            points = {}
            for k in sorted({k for m, task, k in results if m == method and task in mine}):
                cells = {task: results.get((method, task, k)) for task in mine}
                known = {task: cell for task, cell in cells.items() if cell is not None}
                if len(known) == len(mine):
                    mean = np.mean([cell.score() for cell in known.values()])
                    resampled = np.mean([cell.resampled(task) for task, cell in known.items()], axis=0)
                    points[str(k)] = {"mean": round(float(mean), 6), "ci95": interval(resampled)}
            if points:
                found.setdefault(family, {})[method] = points
    return found


def _add_dedicated(summary: dict[str, Any], results: _Results, scores: Sequence[Score]) -> None:
    """Add what dedicated models scored, each on its own task without demonstrations: they are on no curve over shots."""
    for score in scores:
        if METHODS.get(score.method) is not None and METHODS[score.method].dedicated:
            method, cell = summary["methods"][score.method], results[score.method, score.task, score.shots]
            point = {"score": round(cell.score(), 6), "floor": score.floor, "shots": score.shots}
            method["tasks"][score.task] = point
            method["ci95"]["tasks"][score.task] = interval(cell.resampled(score.task))


def _retention(
    preset: LadderPreset,
    folder: Path,
    judged: Sequence[tuple[Task, str]],
    jobs: Sequence[Job],
    scores: Sequence[Score],
    predictions: Sequence[Prediction],
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what each method left of the base's in-context learning on tasks that none was tuned on.

    Each seed's model is paired with the base; of dedicated models those of the first seed, task by task.
    """
    labels = {task.name: tuple(task.labels or {e.output for e in task.test}) for task, _ in judged}
    seen = {task.name: labels[task.name] for task, role in judged if role == "seen"}
    foreign = [task.name for task, role in judged if role in FOREIGN]

    def of_seed(method: str, number: int, shots: Sequence[int] = preset.shots) -> Judged:
        draws = range(number * preset.draws, (number + 1) * preset.draws)
        bits = summary["methods"][method].get("general_bits_per_byte")
        own_scores = [s for s in scores if s.method == method and s.draw in draws and s.shots in shots]
        answers = [p for p in predictions if p.method == method and p.draw in draws and p.shots in shots]
        return Judged(own_scores, answers, bits)

    found = {}
    for method in preset.methods:
        if not METHODS[method].dedicated:
            sides = [[of_seed(m, i) for i in range(len(preset.seeds))] for m in (BASE, method)]
            found[method] = measure_retention(sides[0], sides[1], targets=seen, foreign=foreign).to_dict()
        else:
            places = [folder / DEDICATED / j.name for j in jobs if j.method == method and j.seed == preset.seeds[0]]
            base = of_seed(BASE, 0, (0, max(preset.shots)))
            after = [read_judged(place, method) for place in places]
            found[method] = measure_retention([base] * len(after), after, foreign=foreign).to_dict()
    return found
