"""Which demonstrations stand before a query: random, balanced over labels, or the most similar ones (BM25) for each query.

Retrieved demonstrations differ from query to query. They are put into one order for all queries, the most often retrieved
first, so that prompts begin alike, and what they share is read once.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyshot.episodes import is_recall
from manyshot.errors import EvaluationError
from manyshot.seeds import generator
from manyshot.tasks import Task


class Retriever:
    """BM25 over the inputs of a task's training pool; inputs that equal a query of the test pool are left out."""

    def __init__(self, task: Task) -> None:
        try:
            import bm25s
        except ImportError:
            raise EvaluationError(
                'BM25 needs the package bm25s; install it with: pip install "manyshot[retrieval]"'
            ) from None
        queries = set() if is_recall(task) else {example.input for example in task.test}
        self.pool = [i for i, example in enumerate(task.train) if example.input not in queries]
        self._tokenise = lambda texts: bm25s.tokenize(list(texts), stopwords=[], show_progress=False)
        self._index: Any = bm25s.BM25()
        self._index.index(self._tokenise([task.train[i].input for i in self.pool]), show_progress=False)

    def retrieve(self, inputs: Sequence[str], k: int) -> list[list[int]]:
        """Return positions of each query's k most similar training examples, in the order they stand in its prompt."""
        k = min(k, len(self.pool))
        if k == 0:
            return [[] for _ in inputs]
        found, _ = self._index.retrieve(self._tokenise(inputs), k=k, show_progress=False)
        chosen = [[self.pool[int(i)] for i in row] for row in found]
        often = Counter(i for row in chosen for i in row)
        return [sorted(row, key=lambda i: (-often[i], i)) for row in chosen]


def balanced_demonstrations(task: Task, n: int, seed: int, draw: int) -> list[int]:
    """Return up to n demonstrations in which every label comes equally often, as far as the pool has them; nested in n.

    A task without labels has nothing to balance and raises EvaluationError.
    """
    if task.labels is None:
        raise EvaluationError(f'task "{task.name}" has no labels to balance; choose demonstrations at random')
    rng = generator(seed, "balanced demonstrations", task.name, draw)
    queries = set() if is_recall(task) else {example.input for example in task.test}
    pools: dict[str, list[int]] = {label: [] for label in task.labels}
    for i in rng.permutation(len(task.train)).tolist():
        if task.train[i].input not in queries:
            pools[task.train[i].output].append(i)
    chosen: list[int] = []
    while len(chosen) < n and any(pools.values()):
        # a fresh order of labels each round, or the last label would always be the same
        for label in rng.permutation(np.array(task.labels, dtype=object)).tolist():
            if pools[label]:
                chosen.append(pools[label].pop())
    return chosen[:n]
