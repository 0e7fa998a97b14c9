"""How much of a score is gone, as a share of what the base had: 1 - after / before, with bootstraps. Plain arrays.

Before and after are resampled alike, so that what both share (hard tasks, hard queries) cancels: equal models give 0 in every
resample.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from manyshot.evaluation.intervals import N_RESAMPLES, interval
from manyshot.seeds import generator

if TYPE_CHECKING:
    from jaxtyping import Float

# above this share of resamples in which the base has nothing to lose, a ratio to it has no interval
_MOST_EMPTY = 0.025


def drop(before: "Float[np.ndarray, 'seed task']", after: "Float[np.ndarray, 'seed task']") -> float | None:
    """Return 1 - mean(after) / mean(before); None where the base has nothing to lose, or there are no tasks."""
    base = before.mean() if before.size else 0.0
    return float(1 - after.mean() / base) if base > 0 else None


def drop_over_tasks(
    before: "Float[np.ndarray, 'seed task']", after: "Float[np.ndarray, 'seed task']"
) -> list[float] | None:
    """Return the 95 % interval of `drop`: bootstrap over tasks and seeds.

    None for a single task of a single seed, and where the base's mean is not above 0 in too many resamples.
    """
    n_seeds, n_tasks = before.shape
    if n_tasks == 0 or n_seeds * n_tasks < 2:
        return None
    seeds, tasks = _picks(n_seeds, n_tasks)
    return _interval(*(side[seeds, tasks].mean(axis=(1, 2)) for side in (before, after)))


def drop_over_queries(
    before: "Float[np.ndarray, 'seed task resample']", after: "Float[np.ndarray, 'seed task resample']"
) -> list[float] | None:
    """Return the 95 % interval of `drop`: bootstrap over tasks, queries and seeds.

    The last axis holds scores on resampled queries (TaskScores.resampled), the same queries before and after.
    """
    n_seeds, n_tasks, n_resamples = before.shape
    # a task that is drawn twice brings other queries the second time
    queries = generator(0, "drop over queries", n_seeds, n_tasks).integers(
        0, n_resamples, (N_RESAMPLES, n_seeds, n_tasks)
    )
    seeds, tasks = _picks(n_seeds, n_tasks)
    return _interval(*(side[seeds, tasks, queries].mean(axis=(1, 2)) for side in (before, after)))


def _picks(n_seeds: int, n_tasks: int) -> Sequence[np.ndarray]:
    """Return drawn seeds and tasks: (resample, seed, 1) and (resample, 1, task)."""
    rng = generator(0, "drop over tasks", n_seeds, n_tasks)
    return rng.integers(0, n_seeds, (N_RESAMPLES, n_seeds, 1)), rng.integers(0, n_tasks, (N_RESAMPLES, 1, n_tasks))


def _interval(before: np.ndarray, after: np.ndarray) -> list[float] | None:
    some = before > 0
    if (~some).mean() > _MOST_EMPTY:
        return None
    return interval(1 - after[some] / before[some])
