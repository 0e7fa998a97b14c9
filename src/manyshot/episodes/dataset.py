"""EpisodeDataset: row n as a pure function of (tasks, tokenizer, options, seed, n). Map-style, no torch, no state."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from manyshot.episodes.encoding import EncodedTask, Encoder
from manyshot.episodes.episode import Episode, answer_labels, build_episode
from manyshot.episodes.options import EpisodeOptions, MixOptions
from manyshot.episodes.sampling import choose_examples, task_probabilities
from manyshot.errors import EpisodeError
from manyshot.seeds import generator
from manyshot.tasks import Corpus, Task


class EpisodeDataset:
    """Many-shot training rows over many tasks, for any trainer that reads `input_ids` and `labels`.

    A row is `{"input_ids": (token,) int64, "labels": (token,) int64, "bounds": (example, 3) int64, "is_text": bool}`.
    `labels` marks every answer, or what `labels_of(ids, bounds)` says; `bounds` lets an objective weigh answers by
    shot. Every example is encoded once, when the dataset is made; a row costs no tokenisation. Workers, ranks and
    resumption cannot change a row, because it depends on nothing but its number.

    Raises EpisodeError when no example of a task fits the token budget. `dropped` counts those that do not, by task.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        tokenizer: Any,
        options: EpisodeOptions | None = None,
        *,
        n_rows: int | None = None,
        seed: int = 0,
        corpus: Corpus | None = None,
        mix: MixOptions | None = None,
        labels_of: Callable[[np.ndarray, np.ndarray], np.ndarray] = answer_labels,
    ) -> None:
        self.options, self.mix, self.seed = options or EpisodeOptions(), mix or MixOptions(), seed
        self.encoder = Encoder(tokenizer)
        self.labels_of = labels_of
        self.dropped: dict[str, int] = {}
        self.text = self._encode_corpus(corpus) if self.mix.text > 0 else np.empty(0, np.int32)
        if self.mix.text < 1 and not tasks:
            raise EpisodeError("no tasks to train on; name at least one, or set mix.text to 1 for plain text only")
        # examples that fit, by their positions in the task's pool
        self._pools: list[np.ndarray] = []
        self.tasks = [self._encode(task) for task in tasks] if self.mix.text < 1 else []
        self._lengths = [task.lengths[pool] for task, pool in zip(self.tasks, self._pools, strict=True)]
        self.probabilities = task_probabilities([len(pool) for pool in self._pools], self.mix.task_weights)
        n_tokens = sum(int(lengths.sum()) for lengths in self._lengths) + len(self.text)
        self.n_rows = n_rows if n_rows is not None else max(1, n_tokens // self.options.budget_tokens)

    def _encode(self, task: Task) -> EncodedTask:
        encoded = self.encoder.examples(task, task.train, instruction=self.options.header)
        fits = len(encoded.header) + encoded.lengths <= self.options.budget_tokens
        if not fits.any():
            raise EpisodeError(
                f'task "{task.name}": none of its {len(fits)} examples fits {self.options.budget_tokens} tokens (the '
                f"shortest needs {len(encoded.header) + int(encoded.lengths.min())}); raise episodes.budget_tokens or "
                "leave the task out"
            )
        if not fits.all():
            self.dropped[task.name] = int((~fits).sum())
        self._pools.append(np.flatnonzero(fits))
        return encoded

    def _encode_corpus(self, corpus: Corpus | None) -> np.ndarray:
        if corpus is None:
            raise EpisodeError(f"mix.text is {self.mix.text} but there is no text; give the stage a corpus")
        eos = self.encoder.tokenizer.eos_token_id
        end = np.array([] if eos is None else [eos], np.int32)
        documents = list(corpus.documents)
        ids = self.encoder.tokenizer(documents, add_special_tokens=False)["input_ids"] if documents else []
        text = np.concatenate([np.empty(0, np.int32), *(p for one in ids for p in (np.array(one, np.int32), end))])
        if len(text) < 2:
            raise EpisodeError(f'corpus "{corpus.name}" holds {len(text)} tokens; a row needs two or more')
        return text

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, n: int) -> dict[str, Any]:
        if not 0 <= n < self.n_rows:
            raise IndexError(n)
        episode = self.episode(n)
        return {
            "input_ids": episode.ids.astype(np.int64),
            "labels": self.labels_of(episode.ids, episode.bounds),
            "bounds": episode.bounds,
            "is_text": not episode.examples,
        }

    def episode(self, n: int) -> Episode:
        """Return row n with the task and the examples it is made of."""
        rng = generator(self.seed, "row", int(n))
        if rng.random() < self.mix.text:
            return self._text_row(rng)
        number = rng.choice(len(self.tasks), p=self.probabilities)
        encoded = self.tasks[number]
        chosen = choose_examples(self._lengths[number], len(encoded.header), self.options, rng)
        return build_episode(encoded, self._pools[number][chosen].tolist())

    def _text_row(self, rng: np.random.Generator) -> Episode:
        """Return a window of the text as one answer that begins at its second token."""
        length = min(self.options.budget_tokens, len(self.text))
        start = int(rng.integers(0, len(self.text) - length + 1))
        return Episode("text", self.text[start : start + length], np.array([[0, 1, length]], np.int64), ())
