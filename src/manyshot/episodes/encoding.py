"""Encode text pieces once. The same pieces serve training, scoring and generation, so their tokens agree by construction.

A tokenizer may put a mark in front of whatever it encodes (SentencePiece's space). A piece that continues a sequence must
not get it, so it is encoded behind a sentinel and the sentinel's tokens are taken off again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyshot.episodes.chat import conversation, render_ids
from manyshot.episodes.framing import Frame, frame_of
from manyshot.errors import EpisodeError
from manyshot.tasks import Example, Task, Template

_SENTINELS = ("\n", "x", " x")


@dataclass(frozen=True, slots=True)
class Pieces(Sequence[np.ndarray]):
    """Many short id arrays in one flat array: piece i is flat[offsets[k] : offsets[k + 1]] with k = which[i]."""

    flat: np.ndarray
    offsets: np.ndarray
    which: np.ndarray

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray], which: Sequence[int] | np.ndarray | None = None) -> "Pieces":
        """Store `arrays`; `which` lets many pieces share one of them."""
        offsets = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)
        flat = np.concatenate(arrays) if len(arrays) else np.empty(0, np.int32)
        return cls(
            flat.astype(np.int32), offsets, np.arange(len(arrays)) if which is None else np.asarray(which, np.int64)
        )

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each piece: (piece,) int64."""
        return np.diff(self.offsets)[self.which]

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        k = self.which[i]
        return self.flat[self.offsets[k] : self.offsets[k + 1]]


@dataclass(frozen=True, slots=True)
class EncodedTask:
    """A task's pieces as token ids; example i is prompts[i] + answers[i], its answer with the stop text."""

    name: str
    header: np.ndarray
    prompts: Pieces
    answers: Pieces
    lengths: np.ndarray
    """Tokens of each whole example: (example,) int64."""


class Encoder:
    """Turns texts into token ids for one tokenizer. Needs a fast or slow Hugging Face tokenizer; loads none itself."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.opening = self._opening()
        self._frames: dict[tuple[Template, str], Frame] = {}
        plain, joined = self._encode(["x"])[0], self._encode(["\nx"])[0]
        self._marks_starts = joined[-len(plain) :] != plain or len(joined) == len(plain)

    def _opening(self) -> np.ndarray:
        """Return what the tokenizer itself puts before a sequence: its beginning-of-sequence token, or nothing."""
        bos = self.tokenizer.bos_token_id
        ids = self.tokenizer("x")["input_ids"]
        return np.array([bos] if bos is not None and ids and ids[0] == bos else [], np.int32)

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def start(self, text: str) -> np.ndarray:
        """Encode text that begins a sequence, with the opening token where the tokenizer has one: (token,) int32."""
        ids = self._encode([text])[0] if text else []
        return np.concatenate([self.opening, np.array(ids, np.int32)])

    def continuations(self, texts: Sequence[str], *, after: str = "") -> list[np.ndarray]:
        """Encode texts that each continue a sequence: one (token,) int32 array a text.

        `after` is the text they follow, where that is always the same: a tokenizer may put its mark behind special tokens.
        """
        if not self._marks_starts:
            return [np.array(ids, np.int32) for ids in self._encode(list(texts))]
        result: list[np.ndarray | None] = [None] * len(texts)
        for sentinel in (after, *_SENTINELS) if after else _SENTINELS:
            missing = [i for i, ids in enumerate(result) if ids is None]
            head = self._encode([sentinel])[0]
            for i, ids in zip(missing, self._encode([sentinel + texts[i] for i in missing]), strict=True):
                if ids[: len(head)] == head:
                    result[i] = np.array(ids[len(head) :], np.int32)
        for text, ids in zip(texts, result, strict=True):
            if ids is None:
                raise EpisodeError(
                    f"{type(self.tokenizer).__name__} merges every text before {text[:40]!r} into it, so no piece can be "
                    "encoded alone; change the template's spaces, or use another tokenizer"
                )
        return [ids for ids in result if ids is not None]

    def continuation(self, text: str) -> np.ndarray:
        """Encode one text that continues a sequence."""
        return self.continuations([text])[0]

    def frame(self, task: Task, *, instruction: bool = True) -> Frame:
        """Return the texts around the task's inputs and outputs; those of a conversation are found by rendering it once.

        Raises EpisodeError where the tokenizer's chat template is not prefix-stable.
        """
        key = task.template, task.instruction if instruction else ""
        if key not in self._frames:
            self._frames[key] = frame_of(*key, self.tokenizer)
        return self._frames[key]

    def header(self, task: Task, *, instruction: bool = True) -> np.ndarray:
        """Return the tokens that begin every episode of the task."""
        frame = self.frame(task, instruction=instruction)
        if frame.turns is None:
            return self.start(frame.header)
        # a chat template writes the opening token itself, where the model wants one
        return np.array(self._encode([frame.header])[0] if frame.header else [], np.int32)

    def prompts(self, task: Task, inputs: Sequence[str], *, instruction: bool = True) -> Pieces:
        """Return the tokens of each input's prompt."""
        frame = self.frame(task, instruction=instruction)
        after = frame.stop if frame.turns is not None else ""
        return Pieces.of(self.continuations([frame.prompt(text) for text in inputs], after=after))

    def answers(self, task: Task, outputs: Sequence[str], *, stop: bool = True, instruction: bool = True) -> Pieces:
        """Return the tokens of each output's answer, with the stop text behind it unless `stop` is false.

        A label is encoded once, however many examples have it.
        """
        frame = self.frame(task, instruction=instruction)
        end = self.continuation(frame.stop) if stop else np.empty(0, np.int32)
        distinct = {output: i for i, output in enumerate(dict.fromkeys(outputs))}
        after = frame.turns.assistant if frame.turns is not None else ""
        ids = self.continuations([frame.answer(output) for output in distinct], after=after)
        return Pieces.of([np.concatenate([piece, end]) for piece in ids], [distinct[output] for output in outputs])

    def examples(self, task: Task, examples: Sequence[Example], *, instruction: bool = True) -> EncodedTask:
        """Encode a task's header and examples."""
        prompts = self.prompts(task, [e.input for e in examples], instruction=instruction)
        answers = self.answers(task, [e.output for e in examples], instruction=instruction)
        header = self.header(task, instruction=instruction)
        return EncodedTask(task.name, header, prompts, answers, prompts.lengths + answers.lengths)

    def boundary_mismatch(self, task: Task, n_examples: int = 50) -> float:
        """Return the share of the first examples whose tokens differ when the whole example is encoded in one go.

        Above a percent, a pretrained model reads the pieces as other text than it was trained on. A conversation is compared
        with what the tokenizer's own `apply_chat_template` makes of it.
        """
        examples = task.train[:n_examples]
        encoded, frame = self.examples(task, examples), self.frame(task)
        # a next example follows, so that the stop text is read as it stands inside an episode
        tail = self.prompts(task, ["x"])[0]
        pieces = [np.concatenate([p, a, tail]) for p, a in zip(encoded.prompts, encoded.answers, strict=True)]
        if frame.turns is not None:
            system = task.template.render_header(task.instruction).strip() if task.template.chat == "system" else ""
            talks = (
                conversation(system, [frame.question(e.input), frame.question("x")], [frame.reply(e.output)])
                for e in examples
            )
            wholes = [np.array(render_ids(self.tokenizer, talk), np.int32) for talk in talks]
            pieces = [np.concatenate([encoded.header, piece]) for piece in pieces]
        else:
            texts = [frame.prompt(e.input) + frame.answer(e.output) + frame.stop + frame.prompt("x") for e in examples]
            wholes = self.continuations(texts)
        return sum(not np.array_equal(a, b) for a, b in zip(wholes, pieces, strict=True)) / len(pieces)
