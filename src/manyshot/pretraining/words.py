"""Made-up words without end, split for good into words that training may use and words that it never does. Plain Python."""

import hashlib
from collections.abc import Callable
from random import Random

from manyshot.tasks.builtin import forbidden_texts

_ONSETS = "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr kl kr pl pr qu sh sk sl sm sn sp st th tr".split()
_VOWELS = "a e i o u a e i o u a e i o u ai au ea ee oa oo ou".split()
_CODAS = ["", "", "", *"b ck d f g k l m n nd nk p r rk rt s sh sk st t x".split()]
_EVALUATION_SHARE = 8
_FORBIDDEN = frozenset(text.lower().rstrip(":") for text in forbidden_texts())
_FORBIDDEN_SIGNS = tuple(text for text in forbidden_texts() if not any(map(str.isalnum, text)))

Draw = Callable[[Random], str]
"""Something that draws one word."""


def make_word(rng: Random, low: int = 1, high: int = 3) -> str:
    """Return a word of `low` to `high` made-up syllables. Longer words have open ones, as in most languages."""
    n = rng.randint(low, high)
    parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(n)]
    return "".join(parts) + rng.choice(_CODAS)


def is_reserved(word: str) -> bool:
    """Tell whether a word is kept for evaluation: one in eight of all words, by its hash alone."""
    return hashlib.blake2b(word.encode(), digest_size=2).digest()[0] % _EVALUATION_SHARE == 0


def is_free(text: str) -> bool:
    """Tell whether a document may use this word, or these signs: no label of the built-in suite nor part of its frames."""
    return text.lower() not in _FORBIDDEN and not any(signs in text for signs in _FORBIDDEN_SIGNS)


def training_word(rng: Random, low: int = 1, high: int = 3) -> str:
    """Return a made-up word that no evaluation uses and the built-in suite does not."""
    while is_reserved(word := make_word(rng, low, high)) or not is_free(word):
        pass
    return word


def evaluation_word(rng: Random, low: int = 2, high: int = 3) -> str:
    """Return a made-up word that no training document uses as a whole."""
    while not is_reserved(word := make_word(rng, low, high)):
        pass
    return word


def distinct(draw: Draw, rng: Random, n: int) -> list[str]:
    """Return `n` different words."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[draw(rng)] = None
    return list(found)
