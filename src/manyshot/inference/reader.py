"""Reader: a loaded model with its tokenizer, ready to be primed with a task. The local backend."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manyshot.episodes import Encoder
from manyshot.inference.branching import why_not_branched
from manyshot.inference.primed import PrimedTask, Scoring
from manyshot.models import context_window
from manyshot.tasks import Example, Task


class Reader:
    """Reads tasks with a local model. Decides once, by numbers, whether prefixes can be branched.

    `cached` overrules the decision; `why_not_branched` says why prefixes are read again for each query, or is None.
    """

    def __init__(self, model: Any, tokenizer: Any, *, cached: bool | None = None) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.encoder = Encoder(tokenizer)
        self.window = context_window(model)
        self.why_not_branched = why_not_branched(model, self.window) if cached is None else None
        self.cached = cached if cached is not None else self.why_not_branched is None

    @property
    def dtype(self) -> Any:
        """Of the model's weights."""
        return self.model.dtype

    def prime(
        self,
        task: Task,
        demonstrations: Sequence[Example] = (),
        *,
        scoring: Scoring = "raw",
        score_stop: bool = True,
    ) -> PrimedTask:
        """Read the task's header and the demonstrations."""
        primed = PrimedTask(self, task, scoring, score_stop=score_stop)
        primed.add(demonstrations)
        return primed

    def header_length(self, task: Task) -> int:
        """Return the tokens before the first example."""
        return len(self.encoder.header(task))

    def prompt_lengths(self, task: Task, inputs: Sequence[str]) -> np.ndarray:
        """Return the tokens of each query's prompt: (query,)."""
        return self.encoder.prompts(task, inputs).lengths

    def answer_lengths(self, task: Task, outputs: Sequence[str]) -> np.ndarray:
        """Return the tokens of each answer with its stop text: (answer,)."""
        return self.encoder.answers(task, outputs).lengths

    def example_lengths(self, task: Task, examples: Sequence[Example]) -> np.ndarray:
        """Return the tokens of each whole example: (example,)."""
        return self.encoder.examples(task, examples).lengths
