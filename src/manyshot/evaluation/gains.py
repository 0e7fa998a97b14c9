"""What demonstrations are worth, task by task: the score with many of them less the score without, paired over queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manyshot.evaluation.intervals import family_mean, interval
from manyshot.evaluation.summary import task_scores
from manyshot.records import Prediction, Score


@dataclass(frozen=True, slots=True)
class Gain:
    """One task's score behind its fewest and its most demonstrations, on the same queries."""

    task: str
    family: str
    metric: str
    fewest: int
    """Shots of `before`, 0 where that was asked."""
    most: int
    """Shots of `after`: the most that were asked and that every draw had room for."""
    before: float
    after: float
    after_ci95: tuple[float, float]
    floor: float
    difference: float
    """`after` less `before`."""
    ci95: tuple[float, float]
    """Of the difference: bootstrap over the queries, with task and demonstrations fixed."""
    n_queries: int
    n_draws: int

    @property
    def is_above_floor(self) -> bool:
        """Tell whether the whole interval of `after` is above what the most frequent label would score."""
        return self.after_ci95[0] > self.floor

    @property
    def is_real(self) -> bool:
        """Tell whether the whole interval of the difference is above 0."""
        return self.ci95[0] > 0


def gains(scores: Sequence[Score], predictions: Sequence[Prediction], method: str) -> list[Gain]:
    """Return every task's gain from demonstrations under a method; a task judged at one number of shots has none.

    Queries are resampled alike with and without demonstrations, so what they differ by in difficulty cancels out.
    """
    found = []
    results = task_scores(scores, predictions)
    for task, cells in _cells(scores, method).items():
        # a number of shots that some draw had no room for is none of this task's
        room = sorted({s.shots for s in cells} - {s.shots for s in cells if s.actual_shots < s.shots})
        if len(room) < 2:
            continue
        few, many = results[method, task, room[0]], results[method, task, room[-1]]
        before, after = few.paired_with(many)
        low, high = interval(after.resampled(task) - before.resampled(task))
        after_low, after_high = interval(after.resampled(task))
        found.append(
            Gain(
                task,
                cells[0].family,
                cells[0].metric,
                room[0],
                room[-1],
                round(before.score(), 6),
                round(after.score(), 6),
                (after_low, after_high),
                cells[0].floor,
                round(after.score() - before.score(), 6),
                (low, high),
                after.correct.shape[1],
                after.correct.shape[0],
            )
        )
    return found


def mean_gain(
    scores: Sequence[Score], predictions: Sequence[Prediction], method: str, tasks: Sequence[Gain]
) -> tuple[float, tuple[float, float]]:
    """Return the mean over families of the mean gain of their tasks, and its 95 % interval over queries."""
    results = task_scores(scores, predictions)
    families = {gain.task: gain.family for gain in tasks}
    means: dict[str, np.ndarray] = {}
    resampled: dict[str, np.ndarray] = {}
    for gain in tasks:
        few, many = results[method, gain.task, gain.fewest], results[method, gain.task, gain.most]
        before, after = few.paired_with(many)
        means[gain.task] = np.array([gain.difference])
        resampled[gain.task] = after.resampled(gain.task) - before.resampled(gain.task)
    low, high = interval(family_mean(resampled, families))
    return round(float(family_mean(means, families)[0]), 6), (low, high)


def _cells(scores: Sequence[Score], method: str) -> Mapping[str, list[Score]]:
    cells: dict[str, list[Score]] = {}
    for score in sorted(scores, key=lambda s: s.cell):
        if score.method == method:
            cells.setdefault(score.task, []).append(score)
    return cells
