"""Choose examples: for a training row (as many as fit) and for evaluation (nested draws). Seeded by name, never global."""

from collections.abc import Sequence

import numpy as np

from manyshot.episodes.options import EpisodeOptions
from manyshot.seeds import generator
from manyshot.tasks import Task


def choose_examples(
    lengths: np.ndarray, header_tokens: int, options: EpisodeOptions, rng: np.random.Generator
) -> list[int]:
    """Return positions of distinct examples, in order, that fit the row's token budget whole.

    `lengths` are tokens by example. Examples come in random order; one that does not fit any more ends the row, so that
    long examples are not passed over in favour of short ones. At least one is returned: callers drop longer ones first.
    """
    most = min(options.max_examples or len(lengths), len(lengths))
    room = options.budget_tokens - header_tokens
    # no more than would fit if all were as short as the shortest, so that drawn numbers are numbers that can be had
    most = max(1, min(most, room // max(1, int(lengths.min()))))
    aim = draw_count(min(options.min_examples, most), most, options.length, rng)
    # a permutation of a large pool is dear; a few distinct numbers are not
    order = rng.permutation(len(lengths)) if aim > len(lengths) // 8 else _distinct(len(lengths), aim, rng)
    total = np.cumsum(lengths[order[:aim]])
    return order[: max(1, int(np.searchsorted(total, room, side="right")))].tolist()


def draw_count(low: int, high: int, how: str, rng: np.random.Generator) -> int:
    """Draw a number of examples between `low` and `high`, both included."""
    if how == "full" or low == high:
        return high
    if how == "uniform":
        return int(rng.integers(low, high + 1))
    return min(high, int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))))


def draw_demonstrations(task: Task, n: int, seed: int, draw: int) -> list[int]:
    """Return positions in `task.train` of up to `n` demonstrations; a smaller n gives the first of the larger one's.

    Examples whose input is a query's input are left out, so no query stands among its own demonstrations.
    """
    queries = {example.input for example in task.test}
    order = generator(seed, "demonstrations", task.name, draw).permutation(len(task.train))
    return [int(i) for i in order if task.train[i].input not in queries][:n]


def draw_queries(task: Task, limit: int | None, seed: int) -> list[int]:
    """Return positions in `task.test` of the queries to score, in rising order; all of them without a limit."""
    n = len(task.test)
    if limit is None or limit >= n:
        return list(range(n))
    return sorted(generator(seed, "queries", task.name).permutation(n)[:limit].tolist())


def _distinct(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return k distinct numbers below n in random order, without touching all n."""
    found: dict[int, None] = {}
    while len(found) < k:
        found.update(dict.fromkeys(rng.integers(0, n, size=k).tolist()))
    return np.array(list(found)[:k], np.int64)


def task_probabilities(sizes: Sequence[int], how: str) -> np.ndarray:
    """Return how often each task is drawn."""
    weights = np.ones(len(sizes)) if how == "equal" else np.asarray(sizes, float)
    return weights / weights.sum()
