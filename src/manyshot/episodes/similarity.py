"""Neighbours: which examples of a pool are most like one of them, by the rare tokens that their prompts share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Neighbours:
    """An inverted index: token -> (example, weight). Weights are tf-idf over the example's length, so dot products are cosines.

    Tokens of the template stand in every prompt and weigh nothing.
    """

    prompts: Sequence[np.ndarray]
    starts: np.ndarray
    """(token + 1,) where each token's entries begin."""
    examples: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, prompts: Sequence[np.ndarray]) -> "Neighbours":
        """Index the prompts."""
        n, lengths = len(prompts), np.array([len(p) for p in prompts])
        tokens = np.concatenate(prompts).astype(np.int64)
        owners = np.repeat(np.arange(n), lengths)
        keys, counts = np.unique(tokens * n + owners, return_counts=True)
        tokens, owners = keys // n, keys % n
        n_tokens = int(tokens.max()) + 1
        n_with = np.bincount(tokens, minlength=n_tokens)
        weights = counts * np.log(n / n_with[tokens])
        norms = np.sqrt(np.bincount(owners, weights**2, minlength=n))
        weights = weights / np.maximum(norms[owners], 1e-12)
        starts = np.concatenate([[0], np.cumsum(n_with)])
        return cls(prompts, starts, owners, weights.astype(np.float32))

    def cosines(self, anchor: int) -> np.ndarray:
        """Return how like the anchor each example is: (example,), 0..1."""
        scores = np.zeros(len(self.prompts), np.float32)
        for token in np.unique(self.prompts[anchor]).tolist():
            entries = slice(self.starts[token], self.starts[token + 1])
            examples, weights = self.examples[entries], self.weights[entries]
            own = weights[np.searchsorted(examples, anchor)]
            # an example stands at most once under a token
            scores[examples] += own * weights
        return scores

    def nearest(self, anchor: int, n: int) -> list[int]:
        """Return the n examples most like the anchor, the nearest first; without itself and those of the same prompt."""
        scores, own = self.cosines(anchor), self.prompts[anchor]
        # twins of the anchor are few: only where they crowd out the others is the whole pool sorted
        for k in (min(len(scores), 2 * n + 16), len(scores)):
            top = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(k)
            order = top[np.lexsort((top, -scores[top]))].tolist()
            found = [i for i in order if not np.array_equal(self.prompts[i], own)][:n]
            if len(found) == n:
                break
        return found
