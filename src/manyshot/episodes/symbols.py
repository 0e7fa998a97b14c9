"""Symbols: made-up words that stand in for labels, in two pools that share none: one to train on, one to judge with."""

import itertools
from functools import lru_cache
from typing import Literal

from manyshot.seeds import derive
from manyshot.tasks.builtin.labels import LABELS

Part = Literal["train", "evaluation"]
N_SYMBOLS = 1024
_CONSONANTS, _VOWELS = "bdfghjklmnprstvwz", "aeiou"


@lru_cache
def symbol_pool(part: Part) -> tuple[str, ...]:
    """Return the 1024 words of a pool: two syllables each (`dova`), in an order that looks random and never changes.

    None is a label of the built-in suite, whose held-out words no training may show.
    """
    syllables = ["".join(pair) for pair in itertools.product(_CONSONANTS, _VOWELS)]
    taken = {word for words in LABELS.values() for word in words}
    words = [a + b for a, b in itertools.product(syllables, repeat=2) if a != b and a + b not in taken]
    words.sort(key=lambda word: derive(0, "symbol", word))
    start = 0 if part == "train" else N_SYMBOLS
    return tuple(words[start : start + N_SYMBOLS])
