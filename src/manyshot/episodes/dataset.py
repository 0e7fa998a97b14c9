"""EpisodeDataset: row n as a pure function of (tasks, tokenizer, options, seed, n). Map-style, no torch, no state."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from manyshot.episodes.cache import encode_pool
from manyshot.episodes.encoding import BATCH, EncodedTask, Encoder
from manyshot.episodes.episode import Episode, answer_labels, build_episode
from manyshot.episodes.options import EpisodeOptions, MixOptions
from manyshot.episodes.relabelling import How, Relabelling, prepare_relabelling
from manyshot.episodes.sampling import choose_examples, task_probabilities
from manyshot.episodes.similarity import Neighbours
from manyshot.errors import EpisodeError
from manyshot.seeds import generator
from manyshot.tasks import Corpus, Task

# the share that the second source mixes in to keep in-context learning
DEFAULT_GENERAL = 0.10


class EpisodeDataset:
    """Many-shot training rows over many tasks, for any trainer that reads `input_ids` and `labels`.

    A row is `{"input_ids": (token,) int64, "labels": (token,) int64, "bounds": (example, 3) int64, "is_text": bool,
    "is_general": bool, "task": int}`: general are rows of `general` tasks, which `mix.general` mixes in; `task` is the number
    among `tasks`, those of general tasks behind the others, -1 for plain text.
    `labels` marks every answer, or what `labels_of(ids, bounds)` says; `bounds` lets an objective weigh answers by
    shot. Every example is encoded once, when the dataset is made, those of large tasks into a cache on disk
    (`options.cache`) that the next dataset finds; a row costs no tokenisation. Workers, ranks and
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
        general: Sequence[Task] = (),
        labels_of: Callable[[np.ndarray, np.ndarray], np.ndarray] = answer_labels,
    ) -> None:
        self.options, self.mix, self.seed = options or EpisodeOptions(), mix or MixOptions(), seed
        self.encoder = Encoder(tokenizer)
        self.labels_of = labels_of
        self.dropped: dict[str, int] = {}
        self.text = self._encode_corpus(corpus) if self.mix.text > 0 else np.empty(0, np.int32)
        if self.mix.text < 1 and not tasks:
            raise EpisodeError("no tasks to train on; name at least one, or set mix.text to 1 for plain text only")
        self.share_general = self._share_general(general)
        # examples that fit, by their positions in the task's pool
        self._pools: list[np.ndarray] = []
        self._relabellings: list[Relabelling | None] = []
        # for each task, the examples of each label and the index of its prompts, where the order of rows asks for them
        self._groups: list[list[np.ndarray]] = []
        self._neighbours: list[Neighbours | None] = []
        mixed_in = list(general) if self.share_general > 0 else []
        # general tasks stand behind the others
        self.tasks = [self._encode(task) for task in (*tasks, *mixed_in)] if self.mix.text < 1 else []
        self.n_general = len(mixed_in) if self.tasks else 0
        # the pool's lengths, and the shortest of them; where all fit, no second copy of them
        self._lengths = [
            task.lengths if len(pool) == len(task.lengths) else task.lengths[pool]
            for task, pool in zip(self.tasks, self._pools, strict=True)
        ]
        self._shortest = [int(lengths.min()) for lengths in self._lengths]
        sizes, n_own = [len(pool) for pool in self._pools], len(self.tasks) - self.n_general
        self.probabilities = task_probabilities(sizes[:n_own], self.mix.task_weights)
        self.general_probabilities = task_probabilities(sizes[n_own:], self.mix.task_weights)
        n_tokens = sum(int(lengths.sum()) for lengths in self._lengths) + len(self.text)
        self.n_rows = n_rows if n_rows is not None else max(1, n_tokens // self.options.budget_tokens)

    def _encode(self, task: Task) -> EncodedTask:
        encoded = encode_pool(self.encoder, task, instruction=self.options.header, cache=self.options.cache)
        relabelling = None
        lengths, header_tokens = encoded.lengths, len(encoded.header)
        if self.mix.symbols + self.mix.flipped > 0:
            relabelling = prepare_relabelling(task, self.encoder, encoded, cache=self.options.cache)
        if relabelling is not None:
            # an example must fit whatever its answer becomes
            lengths = encoded.prompts.lengths + np.maximum(encoded.answers.lengths, relabelling.longest)
            header_tokens = max(header_tokens, len(relabelling.bare.header))
        fits = header_tokens + lengths <= self.options.budget_tokens
        if not fits.any():
            raise EpisodeError(
                f'task "{task.name}": none of its {len(fits)} examples fits {self.options.budget_tokens} tokens (the '
                f"shortest needs {header_tokens + int(lengths.min())}); raise episodes.budget_tokens or "
                "leave the task out"
            )
        if not fits.all():
            self.dropped[task.name] = int((~fits).sum())
        pool = np.flatnonzero(fits).astype(np.int32)
        self._pools.append(pool)
        self._relabellings.append(relabelling)
        # examples of one output share its piece
        which = encoded.answers.which
        groups = []
        if which is not None and task.labels is not None and self.options.order == "balanced":
            groups = [np.flatnonzero(which[pool] == o) for o in np.unique(which[pool])]
        self._groups.append(groups)
        similar = self.options.order == "similar"
        self._neighbours.append(Neighbours.of([encoded.prompts[i] for i in pool]) if similar else None)
        return encoded

    def _share_general(self, general: Sequence[Task]) -> float:
        if self.mix.general is None:
            return min(DEFAULT_GENERAL, 1 - self.mix.text) if general else 0.0
        if self.mix.general > 0 and not general:
            raise EpisodeError(f"mix.general is {self.mix.general} but there are no general tasks; give the stage some")
        return self.mix.general

    def _encode_corpus(self, corpus: Corpus | None) -> np.ndarray:
        if corpus is None:
            raise EpisodeError(f"mix.text is {self.mix.text} but there is no text; give the stage a corpus")
        eos = self.encoder.tokenizer.eos_token_id
        end = np.array([] if eos is None else [eos], np.int32)
        parts, coming = [np.empty(0, np.int32)], iter(corpus.documents)
        while batch := list(islice(coming, BATCH)):
            ids = self.encoder.tokenizer(batch, add_special_tokens=False, return_attention_mask=False)["input_ids"]
            parts += [p for one in ids for p in (np.array(one, np.int32), end)]
        text = np.concatenate(parts)
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
            "is_general": episode.is_general,
            "task": episode.number,
        }

    def episode(self, n: int) -> Episode:
        """Return row n with the task and the examples it is made of."""
        rng = generator(self.seed, "row", int(n))
        kind = rng.random()
        if kind < self.mix.text:
            return self._text_row(rng)
        is_general = kind < self.mix.text + self.share_general
        probabilities = self.general_probabilities if is_general else self.probabilities
        number = int(rng.choice(len(probabilities), p=probabilities))
        number += len(self.probabilities) if is_general else 0
        encoded, options = self.tasks[number], self.options
        with_shots = self.mix.general_icl_format if is_general else self.mix.icl_format
        # a row draws no more numbers than its mix needs, so that a plain mix gives the rows it always gave
        if with_shots < 1 and rng.random() >= with_shots:
            options = options.model_copy(update={"min_examples": 1, "max_examples": 1})
        # general tasks stay as they are, and an answer without shots could not be known
        may = not is_general and options.max_examples != 1
        lengths, shortest = self._lengths[number], self._shortest[number]
        how = self._relabelled(number, rng) if may else None
        if how is not None and (relabelling := self._relabellings[number]) is not None:
            encoded = relabelling.draw(how, rng)
            lengths = encoded.lengths[self._pools[number]]
            shortest = int(lengths.min())
        groups, neighbours = self._groups[number], self._neighbours[number]
        chosen = choose_examples(
            lengths, len(encoded.header), options, rng, shortest=shortest, groups=groups, neighbours=neighbours
        )
        return build_episode(encoded, self._pools[number][chosen].tolist(), is_general=is_general, number=number)

    def _relabelled(self, number: int, rng: np.random.Generator) -> How | None:
        """Draw whether a row's labels are other ones; a task that never is draws nothing, and keeps the rows it always gave."""
        if self._relabellings[number] is None:
            return None
        kind = rng.random()
        if kind < self.mix.symbols:
            return "symbols"
        return "flipped" if kind < self.mix.symbols + self.mix.flipped else None

    def _text_row(self, rng: np.random.Generator) -> Episode:
        """Return a window of the text as one answer that begins at its second token."""
        length = min(self.options.budget_tokens, len(self.text))
        start = int(rng.integers(0, len(self.text) - length + 1))
        return Episode("text", self.text[start : start + length], np.array([[0, 1, length]], np.int64), ())
