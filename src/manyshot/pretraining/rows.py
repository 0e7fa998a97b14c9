"""PretrainingRows: row n as a pure function of (stage, tokenizer, seed, n). Map-style; no torch, no state."""

import re
from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

import numpy as np

from manyshot.episodes import answer_labels
from manyshot.pretraining.curriculum import StageOptions, choose_kind, draw_document
from manyshot.pretraining.documents import Document
from manyshot.pretraining.words import Draw, is_free, training_word
from manyshot.pretraining.world import SLOTS
from manyshot.seeds import derive

# fewest tokens of an example; elsewhere a key of one token and a label of one
MIN_EXAMPLE_TOKENS = {
    "prose": 8,
    "company_prose": 8,
    "told_by_a_word": 4,
    "told_nearby": 4,
    "told_by_company": 4,
    "picked": 5,
    "copied": 6,
}
MOST_KNOWN = 50_000
# share of the rows of made-up words whose keys are words of the small world
WORLD_KEYS = 0.4
EVERY_WORD = tuple(dict.fromkeys(word for words in SLOTS.values() for word in words))
# one word in so many is a label where labels are apart from keys
LABELS_APART = 6


def one_piece_words(tokenizer: Any) -> list[str]:
    """Return the words that are one token behind a space, in a fixed order."""
    pieces = sorted(tokenizer.get_vocab())
    words = [piece[1:] for piece in pieces if re.fullmatch("\u0120[a-z]{2,}", piece)]
    return [
        word
        for word in words
        if is_free(word) and len(tokenizer(" " + word, add_special_tokens=False)["input_ids"]) == 1
    ]


def _any_of(words: Sequence[str]) -> Draw:
    return lambda rng: rng.choice(words)


class PretrainingRows:
    """Rows of one stage for ManyShotTrainer: `{"input_ids", "labels", "bounds", "is_text"}`.

    `bounds` hold (prompt start, answer start, end) of the answers that are targets, and nothing else; where every token
    is a target, one answer that begins at the second token. Rows hold whole examples only; prose is cut.
    """

    def __init__(self, stage: StageOptions, tokenizer: Any, n_rows: int, seed: int, draw: Draw = training_word) -> None:
        self.stage, self.n_rows, self.seed, self.draw = stage, n_rows, seed, draw
        self.backend = tokenizer.backend_tokenizer
        # tokens of texts seen before, for speed alone
        self._known: dict[str, list[int]] = {}
        self.words = one_piece_words(tokenizer)
        if stage.n_words is not None and stage.n_words < len(self.words):
            self.words = sorted(Random(derive(0, "words")).sample(self.words, stage.n_words))
        self.label_words = self.words[::LABELS_APART]
        if stage.n_label_words is not None:
            self.label_words = self.label_words[:: max(1, len(self.label_words) // stage.n_label_words)]
        self.key_words = sorted({*self.words} - {*self.label_words})

    def document(self, n: int) -> Document:
        """Return the document that row n is cut from."""
        return self._row(n)[0]

    def _row(self, n: int) -> tuple[Document, list[int], np.ndarray]:
        """Return row n's document with its tokens and targets; one that tells nothing within the budget is drawn again."""
        for attempt in count():
            document = self._draw(derive(self.seed, "document", n, attempt))
            if document.is_text:
                return document, self._encode(document.text)[: self.stage.budget_tokens], np.empty(0, np.int64)
            ids, bounds = self._pieces(document)
            if len(bounds):
                return document, ids, bounds
        raise AssertionError

    def _draw(self, seed: int) -> Document:
        rng = Random(seed)
        kind = choose_kind(rng, self.stage.mix)
        one_piece = rng.random() < self.stage.one_piece
        draw, draw_label = self.draw, None
        if one_piece and rng.random() < self.stage.apart:
            draw, draw_label = _any_of(self.key_words), _any_of(self.label_words)
        elif one_piece:
            draw = _any_of(self.words)
        elif rng.random() < WORLD_KEYS:
            # known words under made-up labels, as in most tasks
            draw, draw_label = _any_of(EVERY_WORD), self.draw
        n_examples = 1 + self.stage.budget_tokens // MIN_EXAMPLE_TOKENS.get(kind, 2)
        return draw_document(rng, kind, draw, n_examples, draw_label, self.stage.max_items)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, n: int) -> dict[str, Any]:
        if not 0 <= n < self.n_rows:
            raise IndexError(n)
        document, ids, bounds = self._row(n)
        everything = document.is_text or self.stage.targets == "all"
        if everything:
            bounds = np.array([[0, 1, len(ids)]], np.int64)
        array = np.array(ids, np.int64)
        return {"input_ids": array, "labels": answer_labels(array, bounds), "bounds": bounds, "is_text": everything}

    def _pieces(self, document: Document) -> tuple[list[int], np.ndarray]:
        """Return the tokens of the whole examples that fit, and the bounds of the known answers among them."""
        stop, ids, bounds = self._encode(document.stop), [], []
        for example in document.examples:
            prompt, answer = self._encode(example.prompt), self._encode(example.answer)
            start = len(ids) + len(prompt)
            end = start + len(answer) + len(stop)
            if end > self.stage.budget_tokens:
                break
            if example.known:
                bounds.append((len(ids), start, end))
            ids += [*prompt, *answer, *stop]
        return ids, np.array(bounds, np.int64)

    def _encode(self, text: str) -> list[int]:
        ids = self._known.get(text)
        if ids is None:
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            ids = self._known[text] = self.backend.encode(text, add_special_tokens=False).ids
        return ids
