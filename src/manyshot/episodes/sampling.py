"""Choose examples: for a training row (as many as fit) and for evaluation (nested draws). Seeded by name, never global."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from manyshot.episodes.options import EpisodeOptions
from manyshot.episodes.similarity import Neighbours
from manyshot.seeds import generator
from manyshot.tasks import Task


def choose_examples(
    lengths: np.ndarray,
    header_tokens: int,
    options: EpisodeOptions,
    rng: np.random.Generator,
    *,
    shortest: int | None = None,
    groups: Sequence[np.ndarray] = (),
    neighbours: Neighbours | None = None,
) -> list[int]:
    """Return positions of distinct examples, in order, that fit the row's token budget whole.

    `lengths` are tokens by example, `shortest` the least of them where the caller knows it, `groups` the examples of each
    label (for `balanced`). One that does not fit any more ends the row, so that long examples are not passed over in favour
    of short ones. At least one is returned: callers drop longer ones first.
    """
    most = min(options.max_examples or len(lengths), len(lengths))
    room = options.budget_tokens - header_tokens
    # no more than would fit if all were as short as the shortest, so that drawn numbers are numbers that can be had
    most = max(1, min(most, room // max(1, int(lengths.min()) if shortest is None else shortest)))
    aim = draw_count(min(options.min_examples, most), most, options.length, rng)
    if options.order == "similar" and neighbours is not None:
        anchor = int(rng.integers(len(lengths)))
        order = np.array([anchor, *neighbours.nearest(anchor, aim - 1)])
    elif options.order == "balanced" and groups:
        order = _balanced(groups, aim, rng)
    else:
        order = _some(len(lengths), aim, rng)
    total = np.cumsum(lengths[order[:aim]])
    kept = order[: max(1, int(np.searchsorted(total, room, side="right")))].tolist()
    # what is most like the last example stands nearest to it, and what did not fit was least like it
    return kept[::-1] if options.order == "similar" and neighbours is not None else kept


def draw_count(low: int, high: int, how: str, rng: np.random.Generator) -> int:
    """Draw a number of examples between `low` and `high`, both included."""
    if how == "full" or low == high:
        return high
    if how == "uniform":
        return int(rng.integers(low, high + 1))
    return min(high, int(np.exp(rng.uniform(np.log(low), np.log(high + 1)))))


_ROWS_JUDGED = 1000


def draw_demonstrations(task: Task, n: int, seed: int, draw: int) -> list[int]:
    """Return positions in `task.train` of up to `n` demonstrations; a smaller n gives the first of the larger one's.

    Examples whose input is a query's input are left out, so no query stands among its own demonstrations, unless the
    task is one of recall.
    """
    queries = set() if is_recall(task) else {example.input for example in task.test}
    order = generator(seed, "demonstrations", task.name, draw).permutation(len(task.train))
    # of a large pool, no more is read than it takes
    return list(islice((int(i) for i in order if task.train[i].input not in queries), n))


def is_recall(task: Task) -> bool:
    """Tell whether a task asks for what its demonstrations showed: most of its inputs come again and again among the training
    rows, or every one of them is a query too. Judged by the first thousand rows."""
    inputs = [task.train[i].input for i in range(min(len(task.train), _ROWS_JUDGED))]
    if not inputs or not task.test:
        return False
    return 2 * len(set(inputs)) <= len(inputs) or set(inputs) <= {example.input for example in task.test}


def draw_queries(task: Task, limit: int | None, seed: int) -> list[int]:
    """Return positions in `task.test` of the queries to score, in rising order; all of them without a limit."""
    n = len(task.test)
    if limit is None or limit >= n:
        return list(range(n))
    return sorted(generator(seed, "queries", task.name).permutation(n)[:limit].tolist())


def _some(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return at least k of n numbers in random order: a permutation of a large pool is dear, a few distinct numbers are not."""
    return rng.permutation(n) if k > n // 8 else _distinct(n, k, rng)


def _balanced(groups: Sequence[np.ndarray], k: int, rng: np.random.Generator) -> np.ndarray:
    """Return up to k distinct examples, the label of each drawn anew from those that have examples left.

    Rounds of all labels would tell the last one of a round by those before it; independent draws tell nothing.
    """
    left = {label: iter(group[_some(len(group), min(k, len(group)), rng)]) for label, group in enumerate(groups)}
    order: list[int] = []
    while len(order) < k and left:
        label = list(left)[int(rng.integers(len(left)))]
        example = next(left[label], None)
        if example is None:
            del left[label]
        else:
            order.append(int(example))
    return np.array(order, np.int64)


def _distinct(n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return k distinct numbers below n in random order, without touching all n."""
    found: dict[int, None] = {}
    while len(found) < k:
        found.update(dict.fromkeys(rng.integers(0, n, size=k).tolist()))
    return np.array(list(found)[:k], np.int64)


def task_probabilities(sizes: Sequence[int], how: str | float) -> np.ndarray:
    """Return how often each task is drawn: `equal`, by `size`, or by size to the power of a number."""
    power = {"equal": 0.0, "size": 1.0}[how] if isinstance(how, str) else how
    weights = np.asarray(sizes, float) ** power
    return weights / weights.sum()
