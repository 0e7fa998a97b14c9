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
    number: int = -1
    """Of the task among those of the rows, general ones last; -1 for plain text."""

    @property
    def n_examples(self) -> int:
        """Number of answers in the row."""
        return len(self.bounds)


def build_episode(
    encoded: EncodedTask, examples: Sequence[int], *, is_general: bool = False, number: int = -1
) -> Episode:
    """Concatenate the header and the chosen examples, in that order."""
    prompts, answers = encoded.prompts.take(examples), encoded.answers.take(examples)
    pieces = [piece for both in zip(prompts, answers, strict=True) for piece in both]
    # where each piece ends; the first begins behind the header
    ends = len(encoded.header) + np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    bounds = np.empty((len(examples), 3), np.int64)
    bounds[:, 1:] = ends.reshape(-1, 2)
    bounds[:1, 0], bounds[1:, 0] = len(encoded.header), bounds[:-1, 2]
    ids = np.concatenate([encoded.header, *pieces]).astype(np.int32, copy=False)
    return Episode(encoded.name, ids, bounds, tuple(int(i) for i in examples), is_general, number)


def answer_labels(ids: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return `labels` as Hugging Face trainers read them: the answers' ids, -100 elsewhere: (token,) int64."""
    labels = np.full(len(ids), -100, np.int64)
    for _, start, end in bounds:
        labels[start:end] = ids[start:end]
    return labels
