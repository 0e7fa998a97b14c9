"""Which label follows each prompt? Exact best-first search over the label trie, for many prompts in one row.

A partial sum of log-probabilities only falls as a label goes on, so it bounds every completion: the first finished label
that is taken off the queue is the best one. Nodes that cannot win are never read. With S(y) = sum log p(y_t | y_<t):

    raw          S(y)                 bound: the partial sum
    normalised   S(y) / tokens(y)     bound: the partial sum over the longest completion below the node
    calibrated   S(y) + offset(y)     bound: the partial sum plus the largest offset below the node
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from manyshot.inference.prefix import ROOT, Chain, Row
from manyshot.inference.trie import LabelTrie

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

SearchScoring = Literal["raw", "normalised", "calibrated"]


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """The best label of one prompt."""

    label: int
    score: float
    """Under the scoring asked for."""
    logprob: float
    """Sum of log-probabilities of the label's tokens, in nats."""
    logprobs: tuple[float, ...] | None
    """Of every label, where the full distribution was asked for."""
    n_nodes: int
    """Trie nodes that were read."""
    n_needed: int
    """Trie nodes that any exact search must read: those whose bound beats the winner's score."""


def choose_labels(
    row: Row,
    prompts: Sequence[np.ndarray],
    trie: LabelTrie,
    *,
    scoring: SearchScoring = "raw",
    offsets: Sequence[float] | None = None,
    full: bool = False,
    parents: Sequence[int] | None = None,
) -> list[LabelChoice]:
    """Return the best label behind each prompt; `full` reads every label and gives all their log-probabilities.

    `parents` are the nodes of the row that the prompts follow, the prefix's end unless given.
    """
    bound = _bound(trie, scoring, offsets)
    ends, logits = row.append([Chain(p, ids) for p, ids in zip(parents or [ROOT] * len(prompts), prompts, strict=True)])
    searches = [_Search(trie, bound, full) for _ in prompts]
    for search, end, children in zip(searches, ends, _children(trie, logits, [0] * len(prompts)), strict=True):
        search.expand(0, end, 0.0, children)
    while wave := [(search, node) for search in searches for node in search.next_nodes()]:
        chains = [
            Chain(search.row_node[trie_parent], np.array([trie.tokens[node]])) for search, (trie_parent, node) in wave
        ]
        ends, logits = row.append(chains)
        below = _children(trie, logits, [node for _, (_, node) in wave])
        for (search, (_, node)), end, children in zip(wave, ends, below, strict=True):
            search.expand(node, end, search.partial[node], children)
    return [search.result() for search in searches]


class _Search:
    """Best-first search for one prompt: a queue of nodes by bound, and of finished labels by score."""

    def __init__(self, trie: LabelTrie, bound: Callable[[float, int, bool], float], full: bool) -> None:
        self.trie, self.bound, self.full = trie, bound, full
        self.partial: dict[int, float] = {0: 0.0}
        self.row_node: dict[int, int] = {}
        # (-score or -bound, 0 if a finished label, label or node)
        self.queue: list[tuple[float, int, int]] = []
        self.parent: dict[int, int] = {}
        self.finished: dict[int, float] = {}
        self.read: list[float] = []
        self.winner: int | None = None

    def expand(self, node: int, row_node: int, partial: float, logprobs: Float[Tensor, " child"]) -> None:
        """Queue the children of a node whose token has been read."""
        self.row_node[node] = row_node
        for child, logprob in zip(self.trie.children[node], logprobs.tolist(), strict=True):
            self.partial[child] = partial + logprob
            self.parent[child] = node
            label = self.trie.label_at[child]
            if label != -1:
                self.finished[label] = self.partial[child]
                heapq.heappush(self.queue, (-self.bound(self.partial[child], child, True), 0, label))
            if self.trie.children[child]:
                heapq.heappush(self.queue, (-self.bound(self.partial[child], child, False), 1, child))

    def next_nodes(self) -> list[tuple[int, int]]:
        """Return (parent, node) of the nodes to read next; none when the search is over."""
        found: list[tuple[int, int]] = []
        while self.queue and (self.full or self.winner is None):
            negative, is_node, which = heapq.heappop(self.queue)
            if not is_node:
                self.winner = which if self.winner is None else self.winner
                continue
            self.read.append(-negative)
            found.append((self.parent[which], which))
            if not self.full:
                break
        return found

    def result(self) -> LabelChoice:
        """Return the winner once the search is over."""
        ends = self.trie.ends
        scores = {label: self.bound(s, ends[label], True) for label, s in self.finished.items()}
        label = min(scores, key=lambda y: (-scores[y], y))
        logprobs = tuple(self.finished[y] for y in range(self.trie.n_labels)) if self.full else None
        needed = sum(bound > scores[label] for bound in self.read)
        return LabelChoice(label, scores[label], self.finished[label], logprobs, len(self.read), needed)


def _bound(
    trie: LabelTrie, scoring: SearchScoring, offsets: Sequence[float] | None
) -> Callable[[float, int, bool], float]:
    """Return bound(partial sum, node, finished): a finished label's score, or no less than any completion below a node."""
    if scoring == "normalised":
        depth = [0] * len(trie.tokens)
        for node, below in enumerate(trie.children):
            for child in below:
                depth[child] = depth[node] + 1
        return lambda partial, node, finished: partial / (depth[node] if finished else trie.longest[node])
    if scoring == "calibrated":
        values = list(offsets or [0.0] * trie.n_labels)
        best = trie.best_below(values)
        own = {trie.ends[label]: value for label, value in enumerate(values)}
        return lambda partial, node, finished: partial + (own[node] if finished else best[node])
    return lambda partial, node, finished: partial


def _children(trie: LabelTrie, logits: Float[Tensor, "node vocab"], nodes: Sequence[int]) -> list[Tensor]:
    """Return the log-probabilities of each node's children: one (child,) tensor a node."""
    normaliser = torch.logsumexp(logits.float(), dim=-1)
    result = []
    for i, node in enumerate(nodes):
        tokens = torch.tensor([trie.tokens[child] for child in trie.children[node]], device=logits.device)
        result.append((logits[i, tokens].float() - normaliser[i]).cpu())
    return result
