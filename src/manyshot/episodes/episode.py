"""Episode: ordered examples of one task in one sequence, with the bounds of every prompt and answer. Plain numpy.

    ids     [ header | x_1 | y_1 | x_2 | y_2 | ... | x_n | y_n ]
    bounds             ^b0   ^b1 ^b2=b0' ...            one row an example: (prompt start, answer start, end)

Example i (from 0) is the one with i shots before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyshot.episodes.encoding import EncodedTask


@dataclass(frozen=True, slots=True)
class Episode:
    """One row to train or evaluate on."""

    task: str
    ids: np.ndarray
    """(token,) int32"""
    bounds: np.ndarray
    """(example, 3) int64: where the prompt starts, where the answer starts, where the answer ends."""
    examples: tuple[int, ...]
    """Positions of the examples in the task's training pool; empty for plain text."""
    is_general: bool = False
    """Whether the task is mixed in beside those that are learned."""

    @property
    def n_examples(self) -> int:
        """Number of answers in the row."""
        return len(self.bounds)


def build_episode(encoded: EncodedTask, examples: Sequence[int], *, is_general: bool = False) -> Episode:
    """Concatenate the header and the chosen examples, in that order."""
    pieces, bounds, at = [encoded.header], np.empty((len(examples), 3), np.int64), len(encoded.header)
    for row, i in enumerate(examples):
        prompt, answer = encoded.prompts[i], encoded.answers[i]
        bounds[row] = at, at + len(prompt), at + len(prompt) + len(answer)
        pieces += (prompt, answer)
        at = bounds[row, 2]
    ids = np.concatenate(pieces).astype(np.int32)
    return Episode(encoded.name, ids, bounds, tuple(int(i) for i in examples), is_general)


def answer_labels(ids: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return `labels` as Hugging Face trainers read them: the answers' ids, -100 elsewhere: (token,) int64."""
    labels = np.full(len(ids), -100, np.int64)
    for _, start, end in bounds:
        labels[start:end] = ids[start:end]
    return labels
