"""PrimedTask: a task whose demonstrations have been read once, answering queries behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from manyshot.errors import EvaluationError
from manyshot.inference.channel import channel_logprobs, channel_task
from manyshot.inference.generation import end_tokens, generate
from manyshot.inference.labels import SearchScoring, choose_labels
from manyshot.inference.prefix import ROOT, Chain, Prefix, Row
from manyshot.inference.trie import LabelTrie, build_trie
from manyshot.tasks import Example, Task

if TYPE_CHECKING:
    from manyshot.inference.reader import Reader

Scoring = Literal["raw", "normalised", "calibrated", "channel"]

# masks and logits of one row of queries stay below this many bytes
ROW_BYTES = 256 << 20
MIN_ROW_TOKENS, MAX_ROW_TOKENS = 512, 4096
# inputs without content, whose label probabilities show what the prompt alone prefers (arXiv 2102.09690)
CONTENT_FREE = ("N/A", "[MASK]", "...")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says to one query."""

    output: str
    logprob: float
    """Of the answer with its stop text, in nats; of the input under the label for channel scoring."""
    logprobs: dict[str, float] | None = None
    """Of every label, where the full distribution was asked for."""


class PrimedTask:
    """A task's header and demonstrations, read; more demonstrations can be added, queries do not change it.

    `scoring` says how labels are compared: by log-probability (`raw`), that over the number of tokens (`normalised`), that
    less what the prompt prefers without content (`calibrated`), or by the probability of the input (`channel`).
    `tokens_computed` and `tokens_needed` count what was read and what any exact search must read.
    """

    def __init__(self, reader: "Reader", task: Task, scoring: Scoring = "raw", *, score_stop: bool = True) -> None:
        self.reader, self.task, self.score_stop = reader, task, score_stop
        # a task without labels has nothing to compare
        self.scoring: Scoring = scoring if task.labels is not None else "raw"
        if self.scoring == "channel" and task.template.chat is not None:
            raise EvaluationError(
                f'task "{task.name}": channel scoring turns a task round, which no conversation can be'
            )
        # what the model reads: the task itself, or turned round for channel scoring
        self.read = channel_task(task) if self.scoring == "channel" else task
        self.n_shots = 0
        self.tokens_needed = 0
        self.prefix = Prefix(reader.model, cached=reader.cached)
        self._extend(reader.encoder.header(self.read))
        self._offsets: list[float] | None = None

    @property
    def tokens_computed(self) -> int:
        """Tokens read so far."""
        return self.prefix.tokens_computed

    def add(self, demonstrations: Sequence[Example]) -> None:
        """Read more demonstrations behind those already read. Only these cost anything."""
        if not demonstrations:
            return
        pieces = self._pieces(demonstrations)
        self._refuse_overflow(sum(map(len, pieces)), "the demonstrations need")
        self._extend(np.concatenate(pieces))
        self.n_shots += len(demonstrations)
        self._offsets = None

    def answer(
        self,
        inputs: Sequence[str],
        *,
        max_new_tokens: int = 64,
        full: bool = False,
        demonstrations: Sequence[Sequence[Example]] | None = None,
    ) -> list[Answer]:
        """Answer queries: the best label of a task with labels, else greedy text up to the stop text.

        `demonstrations` gives each query more of its own, read behind the shared ones; what queries share is read once.
        `full` gives the log-probability of every label.
        """
        if self.scoring == "channel":
            return self._answer_by_channel(inputs, full=full)
        prompts = list(self.reader.encoder.prompts(self.task, inputs))
        own = [self._pieces(few) for few in demonstrations] if demonstrations is not None else [[] for _ in inputs]
        growth = max(self.trie.longest) if self.task.labels is not None else max_new_tokens
        longest = max((len(p) + sum(map(len, few)) for p, few in zip(prompts, own, strict=True)), default=0)
        self._refuse_overflow(longest + growth, "the longest query with its answer needs")
        offsets = self.offsets if self.scoring == "calibrated" else None
        answers: list[Answer] = []
        for part in self._rows([sum(map(len, few)) + len(p) for p, few in zip(prompts, own, strict=True)], growth):
            with self.prefix.branch() as row:
                chosen = [prompts[i] for i in part]
                parents, n_tokens = _read_shared(row, [own[i] for i in part])
                self.tokens_needed += n_tokens + sum(map(len, chosen))
                if self.task.labels is None:
                    answers += self._generate(row, chosen, parents, max_new_tokens)
                else:
                    answers += self._choose(row, chosen, parents, offsets, full=full)
        return answers

    def _choose(
        self,
        row: Row,
        prompts: Sequence[np.ndarray],
        parents: Sequence[int],
        offsets: Sequence[float] | None,
        *,
        full: bool,
    ) -> Iterator[Answer]:
        labels = self.task.labels or ()
        scoring: SearchScoring = "raw" if self.scoring == "channel" else self.scoring
        choices = choose_labels(row, prompts, self.trie, scoring=scoring, offsets=offsets, full=full, parents=parents)
        for choice in choices:
            self.tokens_needed += choice.n_needed
            spread = dict(zip(labels, choice.logprobs, strict=True)) if choice.logprobs else None
            yield Answer(labels[choice.label], choice.logprob, spread)

    def _generate(
        self, row: Row, prompts: Sequence[np.ndarray], parents: Sequence[int], max_new_tokens: int
    ) -> Iterator[Answer]:
        reader, template = self.reader, self.task.template
        found = generate(
            row,
            prompts,
            reader.tokenizer,
            stop=reader.encoder.frame(self.task).cut,
            max_new_tokens=max_new_tokens,
            parents=parents,
            ends=end_tokens(reader.model),
        )
        for text in found:
            self.tokens_needed += text.n_tokens - 1
            yield Answer(template.parse_answer(text.text), text.logprob)

    def _answer_by_channel(self, inputs: Sequence[str], *, full: bool) -> list[Answer]:
        encoder, labels = self.reader.encoder, self.task.labels or ()
        prompts = list(encoder.prompts(self.read, labels))
        texts = list(encoder.answers(self.read, inputs, stop=self.score_stop))
        width = max(map(len, prompts))
        self._refuse_overflow(width + max(map(len, texts), default=0), "the longest query needs")
        answers = []
        # every token of every branch needs logits, so rows are bounded by them too
        for part in self._rows([len(labels) * (width + len(text)) for text in texts], 0, every=True):
            with self.prefix.branch() as row:
                for scores in channel_logprobs(row, prompts, [texts[i] for i in part]):
                    best = int(np.argmax(scores))
                    spread = dict(zip(labels, scores, strict=True)) if full else None
                    answers.append(Answer(labels[best], scores[best], spread))
        return answers

    def without_cache(self) -> "PrimedTask":
        """Return the same task, primed alike, that reads everything from the start for each query: the check on this one."""
        other = PrimedTask(self.reader, self.task, self.scoring, score_stop=self.score_stop)
        other.prefix = Prefix(self.reader.model, cached=False)
        other.prefix.extend(self.prefix.ids)
        other.n_shots = self.n_shots
        return other

    @cached_property
    def trie(self) -> LabelTrie:
        """The task's labels as a trie."""
        ids = self.reader.encoder.answers(self.task, self.task.labels or (), stop=self.score_stop)
        return build_trie(list(ids))

    @property
    def offsets(self) -> list[float]:
        """What calibration adds to each label's log-probability: minus its mean probability on inputs without content."""
        if self._offsets is None:
            prompts = self.reader.encoder.prompts(self.task, CONTENT_FREE)
            with self.prefix.branch() as row:
                found = choose_labels(row, list(prompts), self.trie, full=True)
            spread = np.array([choice.logprobs for choice in found])
            self._offsets = (-(np.logaddexp.reduce(spread, axis=0) - np.log(len(spread)))).tolist()
        return self._offsets or []

    def _extend(self, ids: np.ndarray) -> None:
        self.prefix.extend(ids)
        self.tokens_needed += len(ids)

    def _pieces(self, demonstrations: Sequence[Example]) -> list[np.ndarray]:
        """Return the tokens of each demonstration, as the model reads them."""
        turned = self.read is not self.task
        examples = [Example(e.output, e.input) for e in demonstrations] if turned else list(demonstrations)
        encoded = self.reader.encoder.examples(self.read, examples)
        return [np.concatenate([encoded.prompts[i], encoded.answers[i]]) for i in range(len(examples))]

    def _rows(self, lengths: Sequence[int], growth: int, *, every: bool = False) -> Iterator[list[int]]:
        """Split queries into rows: long enough to keep the processor busy, short enough for memory.

        A row of S tokens behind P cached ones needs a mask of S(P+S) entries, and its queries also attend in vain to each
        other, so S stays below about half of P once P is long.
        """
        vocabulary = self.reader.model.config.get_text_config().vocab_size
        room = min(MAX_ROW_TOKENS, max(MIN_ROW_TOKENS, len(self.prefix) // 2))
        form = self.prefix.form
        # eager attention takes a float a place, and each type of layer a mask of its own
        mask_bytes = (4 if form.additive else 1) * max(1, len(form.kinds))
        while room > 64 and mask_bytes * room * (len(self.prefix) + room) > ROW_BYTES:
            room //= 2
        most_logits = max(1, ROW_BYTES // (4 * vocabulary))
        part: list[int] = []
        tokens, kept = 0, 0
        for i, length in enumerate(lengths):
            logits = length if every else 1
            if part and (tokens + length > room or kept + logits > most_logits):
                yield part
                part, tokens, kept = [], 0, 0
            part.append(i)
            tokens += length + min(growth, 8)
            kept += logits
        if part:
            yield part

    def _refuse_overflow(self, more: int, what: str) -> None:
        window = self.reader.window
        if window is not None and len(self.prefix) + more > window:
            raise EvaluationError(
                f'task "{self.task.name}": {what} {more} tokens behind {len(self.prefix)}, and the model reads {window}; '
                "use fewer shots or a model with a longer context"
            )


def _read_shared(row: Row, own: Sequence[Sequence[np.ndarray]]) -> tuple[list[int], int]:
    """Read each query's own demonstrations as branches, what queries begin alike once.

    Returns the node that each query follows, and the number of tokens read.
    """
    at: dict[tuple[bytes, ...], int] = {(): ROOT}
    n_tokens = 0
    for depth in range(max(map(len, own), default=0)):
        fresh: dict[tuple[bytes, ...], Chain] = {}
        for pieces in own:
            if len(pieces) > depth:
                path = tuple(piece.tobytes() for piece in pieces[: depth + 1])
                if path not in at:
                    fresh.setdefault(path, Chain(at[path[:-1]], pieces[depth]))
        if fresh:
            nodes, _ = row.append(list(fresh.values()))
            at.update(zip(fresh, nodes, strict=True))
            n_tokens += sum(len(chain.ids) for chain in fresh.values())
    return [at[tuple(piece.tobytes() for piece in pieces)] for pieces in own], n_tokens
