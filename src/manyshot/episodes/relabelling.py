"""Relabelling: rows in which a task's labels are symbols, or stand for each other, so that only the examples say what they mean.

Symbols are symbol tuning (arXiv 2305.08298): an arbitrary word a label, drawn anew for each row, and no instruction, which
would name the true labels. Flipped labels are the task's own, each in another's place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from manyshot.episodes.cache import encode_pool
from manyshot.episodes.encoding import EncodedTask, Encoder
from manyshot.episodes.pieces import Pieces
from manyshot.episodes.symbols import symbol_pool
from manyshot.errors import EpisodeError
from manyshot.seeds import generator
from manyshot.tasks import Example, Task

How = Literal["symbols", "flipped"]


@dataclass(frozen=True, slots=True)
class Relabelling:
    """A task without its instruction, and the pieces that its answers can be replaced by."""

    bare: EncodedTask
    labels: Pieces
    """Each label's answer."""
    label_of: np.ndarray
    """Label of each distinct output, in the order of `bare.answers`: (output,)."""
    symbols: Pieces
    longest: int
    """Most tokens that a relabelled answer has."""

    def draw(self, how: How, rng: np.random.Generator) -> EncodedTask:
        """Return the task with other answers, the same for every example of a label."""
        n = len(self.labels)
        if how == "symbols":
            answers = [self.symbols[i] for i in rng.choice(len(self.symbols), n, replace=False)]
        else:
            answers = [self.labels[i] for i in derangement(n, rng)]
        which = self.bare.answers.which
        pieces = Pieces.of([answers[label] for label in self.label_of], which)
        return replace(self.bare, answers=pieces, lengths=self.bare.prompts.lengths + pieces.lengths)


def prepare_relabelling(
    task: Task, encoder: Encoder, encoded: EncodedTask, *, cache: bool = False
) -> Relabelling | None:
    """Return how a task is relabelled; None for one without two labels. `cache` is for prompts that must be encoded anew."""
    if task.labels is None or len(task.labels) < 2:
        return None
    own = {label.casefold() for label in task.labels}
    words = [word for word in symbol_pool("train") if word not in own]
    if len(words) < len(task.labels):
        raise EpisodeError(
            f'task "{task.name}" has {len(task.labels)} labels, more than the {len(words)} symbols; set mix.symbols to 0'
        )
    header = encoder.header(task, instruction=False)
    prompts = encoded.prompts
    if task.template.chat == "user":
        prompts = encode_pool(encoder, task, instruction=False, cache=cache).prompts
    bare = replace(encoded, header=header, prompts=prompts, lengths=prompts.lengths + encoded.answers.lengths)
    labels, symbols = encoder.answers(task, task.labels), encoder.answers(task, words)
    number = {label: i for i, label in enumerate(task.labels)}
    label_of = np.array([number[output] for output in dict.fromkeys(e.output for e in task.train)])
    return Relabelling(bare, labels, label_of, symbols, int(max(labels.lengths.max(), symbols.lengths.max())))


def derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random permutation of n >= 2 numbers that leaves none in its place, all equally likely."""
    while True:
        order = rng.permutation(n)
        if (order != np.arange(n)).all():
            return order


def symbol_task(task: Task, seed: int, draw: int = 0) -> Task:
    """Return a task with labels whose labels are symbols of the evaluation pool: no training row ever showed them.

    The instruction is left out, as in training. A (seed, draw) is one choice of symbols.
    """
    if task.labels is None:
        raise EpisodeError(f'task "{task.name}" has no labels; there is nothing to replace by symbols')
    words: Sequence[str] = [word for word in symbol_pool("evaluation") if word not in task.labels]
    if len(words) < len(task.labels):
        raise EpisodeError(f'task "{task.name}" has {len(task.labels)} labels, more than the {len(words)} symbols')
    order = generator(seed, "symbols", task.name, draw).permutation(len(words))
    new = {label: words[i] for label, i in zip(task.labels, order, strict=False)}
    train, test = ([Example(e.input, new[e.output]) for e in pool] for pool in (task.train, task.test))
    return replace(task, instruction="", labels=tuple(new.values()), train=train, test=test)
