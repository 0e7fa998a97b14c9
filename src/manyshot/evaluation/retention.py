"""What a tuning left of in-context learning: the same tasks, queries and demonstrations before and after. Records in.

With s_k(t) the score of task t at k shots, over the foreign tasks (those that the model was not tuned on):

    gain from shots      mean over families of the mean over tasks of s_k(t) - s_0(t), as the curves of summary.json
    normalised average   100 * mean over tasks of s_k(t)                      (Norm. Avg. of ProMoT, arXiv 2211.00635)
    relative drop        1 - normalised average after / before
    A                    mean of s_k(t) - floor(t) over the tasks whose s_k(t) - s_0(t) is .05 or more in the base
    icl_drop             1 - A after / A before
    gain_drop            the same with s_k(t) - s_0(t) for s_k(t) - floor(t)

The tasks of A are chosen by what the base itself scored, so a base that was lucky in its demonstrations looks as if it had lost
a little; the more queries and draws, the less.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyshot.errors import EvaluationError, RunError
from manyshot.evaluation.drops import drop, drop_over_queries, drop_over_tasks
from manyshot.evaluation.intervals import TaskScores, family_mean
from manyshot.evaluation.stress import FREE, stressed
from manyshot.evaluation.summary import task_scores
from manyshot.files import read_json
from manyshot.records import EXTRAS, Prediction, Score, read_predictions, read_scores

# a task where demonstrations help the base by less has no in-context learning to lose
LEAST_GAIN = 0.05


@dataclass(frozen=True, slots=True)
class Judged:
    """One model's records, of one seed."""

    scores: Sequence[Score]
    predictions: Sequence[Prediction]
    bits_per_byte: float | None = None
    """On general text, where that was measured."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Before and after a tuning. Curves are by number of shots; a number that cannot be had from the records is None."""

    shots: int
    """Demonstrations at which drops are taken: the largest number that was scored."""
    seeds: int
    """Pairs of models before and after that the numbers are means over."""
    tasks: tuple[str, ...]
    """Foreign tasks that every number is a mean over."""
    left_out: tuple[str, ...]
    """Foreign tasks whose pool or window does not allow all numbers of shots."""
    icl_tasks: tuple[str, ...]
    """Foreign tasks where the base gains .05 or more from its demonstrations: those of `icl_drop` and `gain_drop`."""
    held_out_before: dict[str, float]
    """Score, as in summary.json."""
    held_out: dict[str, float]
    gain_from_shots_before: dict[str, float]
    """Score less that at 0 shots."""
    gain_from_shots: dict[str, float]
    normalised_average_before: dict[str, float]
    """0 to 100."""
    normalised_average: dict[str, float]
    relative_drop: dict[str, float | None]
    """Of the normalised average; below 0 where the tuned model is better."""
    relative_drop_ci95: dict[str, list[float] | None]
    """Bootstrap over tasks and queries (and seeds), the same ones before and after."""
    icl_drop: float | None
    icl_drop_ci95: list[float] | None
    """Bootstrap over tasks and seeds."""
    gain_drop: float | None
    gain_drop_ci95: list[float] | None
    general_bits_per_byte_before: float | None
    general_bits_per_byte: float | None
    general_bits_per_byte_change: float | None
    """After less before, in bits per byte."""
    format_ratio_before: float | None
    """Share of generated outputs on foreign tasks that are answers of the tuned task, over all numbers of shots."""
    format_ratio: float | None
    target_tasks: tuple[str, ...]
    """What the model was tuned on, as far as it was scored."""
    target_score_before: dict[str, float]
    target_score: dict[str, float]
    target_gain: float | None
    """Score at 0 shots after less before: what the tuning was for."""
    target_icl_gain: float | None
    """The same at `shots`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def read_judged(folder: str | Path, method: str) -> Judged:
    """Return what a run folder holds of one method, its stressed variants included. RunError where it holds nothing."""
    scores = [s for s in read_scores(folder) if s.method == method or s.method.startswith(f"{method}@")]
    if not any(s.method == method for s in scores):
        known = sorted({s.method for s in read_scores(folder)})
        raise RunError(f'{folder}: no scores of "{method}" here; methods are {", ".join(known)}')
    predictions = [p for p in read_predictions(folder) if p.method == method or p.method.startswith(f"{method}@")]
    extras = read_json(Path(folder) / EXTRAS) if (Path(folder) / EXTRAS).is_file() else {}
    return Judged(scores, predictions, extras.get(method, {}).get("general_bits_per_byte"))


def measure_retention(
    before: Sequence[Judged],
    after: Sequence[Judged],
    *,
    targets: Mapping[str, Collection[str]] | None = None,
    foreign: Collection[str] | None = None,
) -> Retention:
    """Compare models before and after a tuning: `before[i]` and `after[i]` are a pair, one a seed.

    `targets` are the tasks that were tuned on, each with its answers (its labels; all outputs of free text); `foreign`
    names the tasks to compare on, all others by default. Raises EvaluationError where a pair was not scored alike, or
    where no task is left to compare on.
    """
    targets = targets or {}
    pairs = [_Pair(b, a) for b, a in zip(before, after, strict=True)]
    if not pairs:
        raise EvaluationError("retention needs at least one model before and one after")
    shots = pairs[0].shots
    for pair in pairs[1:]:
        if pair.shots != shots:
            raise EvaluationError(f"retention: one seed was scored at {shots} shots and another at {pair.shots}")
    known = [t for t in pairs[0].tasks if all(t in pair.tasks for pair in pairs)]
    whole = [t for t in known if all(pair.allows(t) for pair in pairs)]
    wanted = [t for t in known if t not in targets and (foreign is None or t in foreign)]
    tasks = [t for t in wanted if t in whole]
    if not tasks:
        raise EvaluationError(
            f"retention: none of {len(known)} tasks is left to compare on at {shots[-1]} shots besides the "
            f"{len(targets)} tuned on; score tasks that the model was not tuned on, or fewer shots"
        )
    tuned_on = [t for t in whole if t in targets]
    table = {side: _table(pairs, tasks, shots, side) for side in (0, 1)}
    floors = np.array([pairs[0].floor(task) for task in tasks])
    goal = [_means(_table(pairs, tuned_on, shots, side), shots) if tuned_on else {} for side in (0, 1)]
    curves = [_curve(table[side], tasks, shots, pairs[0].families) for side in (0, 1)]
    averages = [{k: 100 * v for k, v in _means(table[side], shots).items()} for side in (0, 1)]
    at_most = {side: table[side][shots[-1]] for side in (0, 1)}
    icl: np.ndarray = np.zeros(0, int)
    above_floor = gain = (np.zeros((len(pairs), 0)),) * 2
    if shots[0] == 0 and len(shots) > 1:
        gains = {side: at_most[side] - table[side][0] for side in (0, 1)}
        icl = np.flatnonzero(np.round(gains[0].mean(axis=0), 6) >= LEAST_GAIN)
        above_floor = (at_most[0][:, icl] - floors[icl], at_most[1][:, icl] - floors[icl])
        gain = (gains[0][:, icl], gains[1][:, icl])
    bits = [_mean([getattr(p, name).bits_per_byte for p in pairs]) for name in ("before", "after")]
    formats = [_mean([_format_ratio(getattr(p, n), tasks, targets) for p in pairs]) for n in ("before", "after")]
    return Retention(
        shots=shots[-1],
        seeds=len(pairs),
        tasks=tuple(tasks),
        left_out=tuple(t for t in wanted if t not in whole),
        icl_tasks=tuple(tasks[i] for i in icl),
        held_out_before=_rounded(curves[0]),
        held_out=_rounded(curves[1]),
        gain_from_shots_before=_gains(curves[0]),
        gain_from_shots=_gains(curves[1]),
        normalised_average_before=_rounded(averages[0], 4),
        normalised_average=_rounded(averages[1], 4),
        relative_drop={str(k): _round(drop(table[0][k], table[1][k])) for k in shots},
        relative_drop_ci95={
            str(k): drop_over_queries(*(_resampled(pairs, tasks, k, side) for side in (0, 1))) for k in shots
        },
        icl_drop=_round(drop(*above_floor)),
        icl_drop_ci95=drop_over_tasks(*above_floor),
        gain_drop=_round(drop(*gain)),
        gain_drop_ci95=drop_over_tasks(*gain),
        general_bits_per_byte_before=_round(bits[0]),
        general_bits_per_byte=_round(bits[1]),
        general_bits_per_byte_change=_change(bits[0], bits[1]),
        format_ratio_before=_round(formats[0]),
        format_ratio=_round(formats[1]),
        target_tasks=tuple(tuned_on),
        target_score_before=_rounded(goal[0]),
        target_score=_rounded(goal[1]),
        target_gain=_change(goal[0].get("0"), goal[1].get("0")),
        target_icl_gain=_change(goal[0].get(str(shots[-1])), goal[1].get(str(shots[-1]))),
    )


class _Pair:
    """One seed's models before and after, on the queries and shot counts that both scored."""

    def __init__(self, before: Judged, after: Judged) -> None:
        self.before, self.after = before, after
        plain = [[s for s in side.scores if stressed(s.method) is None] for side in (before, after)]
        shots = [sorted({s.shots for s in side}) for side in plain]
        if shots[0] != shots[1] or not shots[0]:
            raise EvaluationError(
                f"retention: the base was scored at {shots[0]} shots and the tuned model at {shots[1]}; score both at the same"
            )
        self.shots = shots[0]
        self.families = {s.task: s.family for s in plain[0]}
        self._floors = {s.task: s.floor for s in plain[0]}
        results = [
            {
                (task, k): r
                for (method, task, k), r in task_scores(side.scores, side.predictions).items()
                if stressed(method) is None
            }
            for side in (before, after)
        ]
        self._short = {s.task for side in plain for s in side if s.actual_shots < s.shots}
        self._cells: dict[tuple[str, int], tuple[TaskScores, TaskScores]] = {}
        for key in results[0].keys() & results[1].keys():
            b, a = results[0][key].paired_with(results[1][key])
            if b.correct.shape[0] != a.correct.shape[0] or not b.correct.size:
                raise EvaluationError(
                    f'retention: task "{key[0]}" at {key[1]} shots has {b.correct.shape[0]} draws of demonstrations in the base '
                    f"and {a.correct.shape[0]} in the tuned model, or no query in common; score both with the same options"
                )
            self._cells[key] = b, a
        self.tasks = sorted({task for task, _ in self._cells})

    def allows(self, task: str) -> bool:
        """Tell whether both models scored the task at every number of shots, with so many demonstrations."""
        return task not in self._short and all((task, k) in self._cells for k in self.shots)

    def floor(self, task: str) -> float:
        return self._floors[task]

    def at(self, task: str, shots: int, side: int) -> TaskScores:
        return self._cells[task, shots][side]


def _table(pairs: Sequence[_Pair], tasks: Sequence[str], shots: Sequence[int], side: int) -> dict[int, np.ndarray]:
    """Return scores by number of shots, before (side 0) or after (1): (seed, task) each."""
    return {k: np.array([[pair.at(task, k, side).score() for task in tasks] for pair in pairs]) for k in shots}


def _resampled(pairs: Sequence[_Pair], tasks: Sequence[str], shots: int, side: int) -> np.ndarray:
    """Return scores on resampled queries: (seed, task, resample). A task's name fixes them, so both sides have the same."""
    return np.array([[pair.at(task, shots, side).resampled(task) for task in tasks] for pair in pairs])


def _means(table: Mapping[int, np.ndarray], shots: Sequence[int]) -> dict[str, float]:
    return {str(k): float(table[k].mean()) for k in shots}


def _curve(
    table: Mapping[int, np.ndarray], tasks: Sequence[str], shots: Sequence[int], families: Mapping[str, str]
) -> dict[str, float]:
    return {str(k): float(family_mean(dict(zip(tasks, table[k].mean(axis=0), strict=True)), families)) for k in shots}


def _gains(curve: Mapping[str, float]) -> dict[str, float]:
    return {k: round(v - curve["0"], 6) for k, v in curve.items() if k != "0"} if "0" in curve else {}


def _format_ratio(side: Judged, tasks: Sequence[str], targets: Mapping[str, Collection[str]]) -> float | None:
    """Return the share of generated outputs on these tasks that are answers of the tasks tuned on.

    A label that is chosen from a list can be no answer of another task, so only generated text counts: free-text tasks (their
    floor is 0), and those with labels as far as they were scored with the stress `free`. Queries whose own answer is one
    of the tuned task's are left out.
    """
    answers = {_bare(answer) for of_task in targets.values() for answer in of_task}
    generated = {(s.method, s.task) for s in side.scores if s.task in tasks and _is_generated(s)}
    hits = [
        _bare(p.prediction) in answers
        for p in side.predictions
        if (p.method, p.task) in generated and _bare(p.target) not in answers
    ]
    return float(np.mean(hits)) if hits and answers else None


def _is_generated(score: Score) -> bool:
    kind = stressed(score.method)
    return kind == FREE or (kind is None and score.floor == 0)


def _bare(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .,;:!?\"'")


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None where any value is missing."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(after - before, 6)


def _round(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(value, digits)


def _rounded(values: Mapping[str, float], digits: int = 6) -> dict[str, float]:
    return {key: round(value, digits) for key, value in values.items()}
