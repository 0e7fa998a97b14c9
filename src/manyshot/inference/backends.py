"""What an evaluation needs of whatever answers: the interface that a local Reader and a remote endpoint share."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from manyshot.inference.primed import Answer, Scoring
from manyshot.tasks import Example, Task


class Primed(Protocol):
    """A task with its demonstrations in place."""

    n_shots: int

    @property
    def tokens_computed(self) -> int:
        """Tokens read so far."""
        ...

    def add(self, demonstrations: Sequence[Example]) -> None:
        """Put more demonstrations behind those already there."""
        ...

    def answer(
        self,
        inputs: Sequence[str],
        *,
        max_new_tokens: int = 64,
        full: bool = False,
        demonstrations: Sequence[Sequence[Example]] | None = None,
    ) -> list[Answer]:
        """Answer queries behind the demonstrations."""
        ...


class Backend(Protocol):
    """Something that answers queries of tasks."""

    window: int | None
    """Longest sequence in tokens; None where unknown."""

    def prime(
        self, task: Task, demonstrations: Sequence[Example] = (), *, scoring: Scoring = "raw", score_stop: bool = True
    ) -> Any:
        """Return the task, primed."""
        ...

    def header_length(self, task: Task) -> int:
        """Return the tokens before the first example, 0 where unknown."""
        ...

    def prompt_lengths(self, task: Task, inputs: Sequence[str]) -> np.ndarray:
        """Return the tokens of each query's prompt, zeros where unknown."""
        ...

    def answer_lengths(self, task: Task, outputs: Sequence[str]) -> np.ndarray:
        """Return the tokens of each answer, zeros where unknown."""
        ...

    def example_lengths(self, task: Task, examples: Sequence[Example]) -> np.ndarray:
        """Return the tokens of each example, zeros where unknown."""
        ...
