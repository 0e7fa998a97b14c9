"""Reader: a model that has read demonstrations once and answers queries of a task behind them. The library's way to predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyshot.episodes import Encoder
from manyshot.errors import EvaluationError
from manyshot.inference.branching import why_not_branched
from manyshot.inference.generation import generate
from manyshot.inference.labels import Scoring, choose_labels
from manyshot.inference.prefix import Prefix
from manyshot.inference.trie import build_trie
from manyshot.models import context_window
from manyshot.tasks import Example, Task

# masks and logits of one row of queries stay below this many bytes
ROW_BYTES = 256 << 20
MIN_ROW_TOKENS, MAX_ROW_TOKENS = 512, 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says to one query."""

    output: str
    logprob: float
    """Of the answer with its stop text, in nats."""
    logprobs: dict[str, float] | None = None
    """Of every label, where the full distribution was asked for."""


class Reader:
    """A loaded model with its tokenizer, ready to read prefixes. Decides once whether prefixes can be branched."""

    def __init__(self, model: Any, tokenizer: Any, *, cached: bool | None = None) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.encoder = Encoder(tokenizer)
        self.window = context_window(model)
        self.why_not_branched = why_not_branched(model, self.window) if cached is None else None
        self.cached = cached if cached is not None else self.why_not_branched is None

    def prime(self, task: Task, demonstrations: Sequence[Example] = ()) -> "PrimedTask":
        """Read the task's header and the demonstrations."""
        primed = PrimedTask(self, task)
        primed.add(demonstrations)
        return primed


class PrimedTask:
    """A task whose demonstrations have been read; more can be added, queries do not change it."""

    def __init__(self, reader: Reader, task: Task) -> None:
        self.reader, self.task = reader, task
        self.n_shots = 0
        self.prefix = Prefix(reader.model, cached=reader.cached)
        self.prefix.extend(reader.encoder.header(task))
        self._trie: Any = None

    def add(self, demonstrations: Sequence[Example]) -> None:
        """Read more demonstrations behind those already read. Only these cost anything."""
        if not demonstrations:
            return
        encoded = self.reader.encoder.examples(self.task, demonstrations)
        pieces = [ids for i in range(len(demonstrations)) for ids in (encoded.prompts[i], encoded.answers[i])]
        self._refuse_overflow(sum(map(len, pieces)), "the demonstrations need")
        self.prefix.extend(np.concatenate(pieces))
        self.n_shots += len(demonstrations)

    def answer(
        self,
        inputs: Sequence[str],
        *,
        max_new_tokens: int = 64,
        score_stop: bool = True,
        scoring: Scoring = "raw",
        offsets: Sequence[float] | None = None,
        full: bool = False,
    ) -> list[Answer]:
        """Answer queries: the best label of a task with labels, else greedy text up to the stop text."""
        prompts = self.reader.encoder.prompts(self.task, inputs)
        longest = max(map(len, prompts), default=0)
        labels = self.task.labels
        trie = self.trie(score_stop) if labels is not None else None
        growth = max(trie.longest) if trie is not None else max_new_tokens
        self._refuse_overflow(longest + growth, "the longest query with its answer needs")
        answers: list[Answer] = []
        for part in self._rows(prompts, growth):
            with self.prefix.branch() as row:
                if labels is not None and trie is not None:
                    for choice in choose_labels(row, part, trie, scoring=scoring, offsets=offsets, full=full):
                        spread = dict(zip(labels, choice.logprobs, strict=True)) if choice.logprobs else None
                        answers.append(Answer(labels[choice.label], choice.logprob, spread))
                else:
                    stop = self.task.template.stop
                    for text in generate(row, part, self.reader.tokenizer, stop=stop, max_new_tokens=max_new_tokens):
                        answers.append(Answer(self.task.template.parse_answer(text.text), text.logprob))
        return answers

    def without_cache(self) -> "PrimedTask":
        """Return the same task, primed alike, that reads everything from the start for each query: the check on this one."""
        other = PrimedTask(self.reader, self.task)
        other.prefix = Prefix(self.reader.model, cached=False)
        other.prefix.extend(self.prefix.ids)
        other.n_shots = self.n_shots
        return other

    def trie(self, score_stop: bool) -> Any:
        """Return the task's labels as a trie, made once."""
        if self._trie is None or self._trie[0] != score_stop:
            ids = self.reader.encoder.answers(self.task, self.task.labels or (), stop=score_stop)
            self._trie = (score_stop, build_trie(list(ids)))
        return self._trie[1]

    def _rows(self, prompts: Sequence[np.ndarray], growth: int) -> Iterator[list[np.ndarray]]:
        """Split queries into rows: long enough to keep the processor busy, short enough for memory.

        A row of S tokens behind P cached ones needs a mask of S(P+S) entries, and its queries also attend in vain to each
        other, so S stays below about half of P once P is long.
        """
        vocabulary = self.reader.model.config.get_text_config().vocab_size
        room = min(MAX_ROW_TOKENS, max(MIN_ROW_TOKENS, len(self.prefix) // 2))
        while room > 64 and room * (len(self.prefix) + room) > ROW_BYTES:
            room //= 2
        most = max(1, ROW_BYTES // (4 * vocabulary))
        part: list[np.ndarray] = []
        tokens = 0
        for prompt in prompts:
            if part and (tokens + len(prompt) > room or len(part) >= most):
                yield part
                part, tokens = [], 0
            part.append(prompt)
            tokens += len(prompt) + min(growth, 8)
        if part:
            yield part

    def _refuse_overflow(self, more: int, what: str) -> None:
        window = self.reader.window
        if window is not None and len(self.prefix) + more > window:
            raise EvaluationError(
                f'task "{self.task.name}": {what} {more} tokens behind {len(self.prefix)}, and the model reads {window}; '
                "use fewer shots or a model with a longer context"
            )
