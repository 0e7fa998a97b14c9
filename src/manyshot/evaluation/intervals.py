"""Intervals: bootstrap over queries with the tasks fixed, Student's t over draws. Plain arrays.

The two answer different questions and are kept apart: would other queries give another score, and would other
demonstrations?
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manyshot.seeds import generator
from manyshot.tasks.metrics import macro_f1

N_RESAMPLES = 1000
# two-sided 95 % points of Student's t by degrees of freedom
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True, slots=True)
class TaskScores:
    """What one task's queries scored under one method and shot count."""

    correct: np.ndarray
    """(draw, query) float: each query's score."""
    predicted: np.ndarray | None = None
    """(draw, query) int labels, for macro_f1 only."""
    targets: np.ndarray | None = None
    """(query,) int labels, for macro_f1 only."""
    queries: np.ndarray | None = None
    """(query,) int: which queries of the task these are; None is all of them in order."""

    def by_draw(self, queries: np.ndarray | None = None) -> np.ndarray:
        """Return each draw's score on the chosen queries (with repeats), or on all: (draw,)."""
        if self.predicted is None or self.targets is None:
            return (self.correct if queries is None else self.correct[:, queries]).mean(axis=1)
        chosen = np.arange(len(self.targets)) if queries is None else queries
        return np.array([macro_f1(row[chosen], self.targets[chosen]) for row in self.predicted])

    def paired_with(self, other: "TaskScores") -> tuple["TaskScores", "TaskScores"]:
        """Return both on the queries that both scored: a window may have left some out of one."""
        if self.queries is None or other.queries is None:
            return self, other
        common = np.intersect1d(self.queries, other.queries)
        return self._only(common), other._only(common)

    def _only(self, queries: np.ndarray) -> "TaskScores":
        assert self.queries is not None
        at = np.flatnonzero(np.isin(self.queries, queries))
        predicted = None if self.predicted is None else self.predicted[:, at]
        targets = None if self.targets is None else self.targets[at]
        return TaskScores(self.correct[:, at], predicted, targets, self.queries[at])

    def score(self) -> float:
        """Return the mean over draws."""
        return float(self.by_draw().mean())

    def resampled(self, name: str) -> np.ndarray:
        """Return bootstrap scores over queries: (resample,). The name of the task fixes which queries are drawn, so two
        methods on the same queries are resampled alike and their differences are paired."""
        n = self.correct.shape[1]
        picks = generator(0, "bootstrap", name, n).integers(0, n, (N_RESAMPLES, n))
        if self.predicted is None:
            return self.correct.mean(axis=0)[picks].mean(axis=1)
        return np.array([self.by_draw(pick).mean() for pick in picks])


def interval(resampled: np.ndarray) -> list[float]:
    """Return the central 95 % of bootstrap scores."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return [round(float(low), 6), round(float(high), 6)]


def draw_interval(by_draw: np.ndarray) -> list[float] | None:
    """Return the 95 % interval of the mean over draws by Student's t; None with fewer than two draws."""
    n = len(by_draw)
    if n < 2:
        return None
    t = _t95(n - 1)
    half = t * float(by_draw.std(ddof=1)) / n**0.5
    mean = float(by_draw.mean())
    return [round(mean - half, 6), round(mean + half, 6)]


def _t95(degrees: int) -> float:
    """Return the 97.5 % point of Student's t; beyond the table by Cornish and Fisher's expansion about the normal's."""
    if degrees <= len(_T95):
        return _T95[degrees - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def family_mean(values: Mapping[str, np.ndarray], families: Mapping[str, str]) -> np.ndarray:
    """Return the mean over families of the mean over their tasks, of arrays by task."""
    groups: dict[str, list[np.ndarray]] = {}
    for task, value in values.items():
        groups.setdefault(families[task], []).append(value)
    return np.mean([np.mean(group, axis=0) for group in groups.values()], axis=0)


def queries_to_separate(difference: np.ndarray) -> int | None:
    """Return about how many queries would put zero outside the 95 % interval of a mean paired difference (query,).

    None where the mean difference is zero, so that no number of queries would.
    """
    mean, spread = float(difference.mean()), float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    if mean == 0:
        return None
    return max(1, int(np.ceil((1.96 * spread / mean) ** 2)))
