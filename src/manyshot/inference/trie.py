"""Labels as a trie of token ids: what they share is read once. Plain data, no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyshot.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class LabelTrie:
    """Nodes from 0, the root; parents stand before their children.

    A label ends at the node `ends[label]`; a node may end a label and go on to others where no stop text is scored.
    """

    tokens: tuple[int, ...]
    """Token that leads into each node; -1 for the root."""
    children: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]
    label_at: tuple[int, ...]
    """Label that ends at each node, or -1."""
    longest: tuple[int, ...]
    """Most tokens from the root to an end at or below each node."""

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.ends)

    def best_below(self, offsets: Sequence[float]) -> list[float]:
        """Return, for each node, the largest offset of a label that ends at or below it."""
        best = [-np.inf] * len(self.tokens)
        for label, node in enumerate(self.ends):
            best[node] = offsets[label]
        for node in range(len(self.tokens) - 1, -1, -1):
            for child in self.children[node]:
                best[node] = max(best[node], best[child])
        return best


def build_trie(labels: Sequence[Sequence[int] | np.ndarray]) -> LabelTrie:
    """Build the trie of the labels' token ids. Empty labels and two labels of the same ids are errors."""
    tokens, children, label_at, ends = [-1], [{}], [-1], []
    for label, ids in enumerate(labels):
        if not len(ids):
            raise EvaluationError(f"label {label} has no tokens; every label needs at least one")
        node = 0
        for token in map(int, ids):
            if token not in children[node]:
                children[node][token] = len(tokens)
                tokens.append(token)
                children.append({})
                label_at.append(-1)
            node = children[node][token]
        if label_at[node] != -1:
            raise EvaluationError(
                f"labels {label_at[node]} and {label} have the same tokens, so no score tells them apart"
            )
        label_at[node] = label
        ends.append(node)
    depth = [0] * len(tokens)
    for node, below in enumerate(children):
        for child in below.values():
            depth[child] = depth[node] + 1
    longest = [depth[node] if label_at[node] != -1 else 0 for node in range(len(tokens))]
    for node in range(len(tokens) - 1, -1, -1):
        for child in children[node].values():
            longest[node] = max(longest[node], longest[child])
    below = tuple(tuple(node.values()) for node in children)
    return LabelTrie(tuple(tokens), below, tuple(ends), tuple(label_at), tuple(longest))
