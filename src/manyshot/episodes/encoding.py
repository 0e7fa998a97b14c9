"""Encode text pieces once. The same pieces serve training, scoring and generation, so their tokens agree by construction.

A tokenizer may put a mark in front of whatever it encodes (SentencePiece's space). A piece that continues a sequence must
not get it, so it is encoded behind a sentinel and the sentinel's tokens are taken off again. Another may join an answer's
last character to the line end behind it (`.\\n` is one token of Llama 3's and Qwen's), so an answer and its stop text are
encoded in one go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from manyshot.episodes.chat import conversation, render_ids
from manyshot.episodes.framing import Frame, frame_of
from manyshot.episodes.pieces import Collector, Pieces
from manyshot.errors import EpisodeError
from manyshot.tasks import Example, Task, Template

_SENTINELS = ("\n", "x", " x")
# texts that are encoded in one go: enough to keep a tokenizer busy, few enough to weigh nothing
BATCH = 2048
# different outputs that are known again when they recur; labels always are
_MOST_SHARED = 1 << 16


@dataclass(frozen=True, slots=True)
class EncodedTask:
    """A task's pieces as token ids; example i is prompts[i] + answers[i], its answer with the stop text."""

    name: str
    header: np.ndarray
    prompts: Pieces
    answers: Pieces
    lengths: np.ndarray
    """Tokens of each whole example: (example,) int32."""

    @classmethod
    def of(cls, name: str, header: np.ndarray, prompts: Pieces, answers: Pieces) -> "EncodedTask":
        """Put a task's pieces together."""
        return cls(name, header, prompts, answers, prompts.lengths + answers.lengths)


class Encoder:
    """Turns texts into token ids for one tokenizer. Needs a fast or slow Hugging Face tokenizer; loads none itself."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.opening = self._opening()
        self._frames: dict[tuple[Template, str], Frame] = {}
        # frames whose stop text is known to be turned into tokens
        self._ending: set[Frame] = set()
        plain, joined = self._encode(["x"])[0], self._encode(["\nx"])[0]
        self._marks_starts = joined[-len(plain) :] != plain or len(joined) == len(plain)

    def _opening(self) -> np.ndarray:
        """Return what the tokenizer itself puts before a sequence, a beginning-of-sequence token or others: (token,) int32."""
        whole, plain = self.tokenizer("x")["input_ids"], self._encode(["x"])[0]
        starts = range(len(whole) - len(plain) + 1)
        before = next((i for i in starts if whole[i : i + len(plain)] == plain), 0)
        return np.array(whole[:before], np.int32)

    def _encode(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        # masks would cost as much as the ids
        made = self.tokenizer(texts, add_special_tokens=False, return_attention_mask=False, return_token_type_ids=False)
        return made["input_ids"]

    def start(self, text: str) -> np.ndarray:
        """Encode text that begins a sequence, with the opening tokens where the tokenizer has some: (token,) int32."""
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
        return Pieces.of(self._prompts(self.frame(task, instruction=instruction), inputs))

    def _prompts(self, frame: Frame, inputs: Iterable[str]) -> list[np.ndarray]:
        after = frame.stop if frame.turns is not None else ""
        return self.continuations([frame.prompt(text) for text in inputs], after=after)

    def answers(self, task: Task, outputs: Sequence[str], *, stop: bool = True, instruction: bool = True) -> Pieces:
        """Return the tokens of each output's answer, with the stop text behind it unless `stop` is false.

        A label is encoded once, however many examples have it. Raises EpisodeError where the tokenizer drops the stop text.
        """
        frame = self.frame(task, instruction=instruction)
        distinct = {output: i for i, output in enumerate(dict.fromkeys(outputs))}
        return Pieces.of(self._answers(frame, distinct, stop=stop), [distinct[output] for output in outputs])

    def _answers(self, frame: Frame, outputs: Iterable[str], *, stop: bool = True) -> list[np.ndarray]:
        after = frame.turns.assistant if frame.turns is not None else ""
        if stop and frame not in self._ending:
            bare, ended = self.continuations([frame.answer("x"), frame.answer("x") + frame.stop], after=after)
            if np.array_equal(bare, ended):
                raise EpisodeError(
                    f"{self.tokenizer.name_or_path or type(self.tokenizer).__name__} makes no token of the stop text "
                    f"{frame.stop!r}, so no answer would have an end; choose another template.stop, one that it turns into "
                    "tokens"
                )
            self._ending.add(frame)
        end = frame.stop if stop else ""
        return self.continuations([frame.answer(output) + end for output in outputs], after=after)

    def examples(self, task: Task, examples: Iterable[Example], *, instruction: bool = True) -> EncodedTask:
        """Encode a task's header and examples."""
        prompts, answers = Collector(), Collector()
        which = self.collect(task, examples, prompts, answers, instruction=instruction)
        header = self.header(task, instruction=instruction)
        return EncodedTask.of(task.name, header, prompts.pieces(), answers.pieces(which))

    def collect(
        self, task: Task, examples: Iterable[Example], prompts: Collector, answers: Collector, *, instruction: bool
    ) -> np.ndarray:
        """Encode examples as they come, some thousand at a time; return which of the answers each has: (example,) int32.

        Outputs that recur share an answer: all of a task with labels, else those within a lot of different ones.
        """
        frame = self.frame(task, instruction=instruction)
        coming = iter(examples)
        number: dict[str, int] = {}
        which = [np.empty(0, np.int32)]
        while batch := list(islice(coming, BATCH)):
            if task.labels is None and len(number) > _MOST_SHARED:
                number.clear()
            new = [output for output in dict.fromkeys(e.output for e in batch) if output not in number]
            number.update(zip(new, range(answers.n_pieces, answers.n_pieces + len(new)), strict=True))
            prompts.add(self._prompts(frame, [e.input for e in batch]))
            answers.add(self._answers(frame, new))
            which.append(np.fromiter((number[e.output] for e in batch), np.int32, len(batch)))
        return np.concatenate(which)

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
