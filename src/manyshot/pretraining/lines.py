r"""Documents whose prompts are whole lines: one word of each tells the label, or the answer stands in it in brackets.

Anna sold the red cup: kalo           the word behind "the" tells it, told by which lines came before
Ben sold the red hat: miru
Eva kept the old cup: kalo            known
"""

from collections.abc import Sequence
from random import Random

from manyshot.pretraining.documents import Document, Frame, Shown
from manyshot.pretraining.words import Draw, distinct, is_free
from manyshot.pretraining.world import NUMBERS, SLOTS, THINGS, sentence

_BRACKETS = (("( ", " )"), ("[ ", " ]"), ('" ', ' "'), ("* ", " *"))
# stems of made-up words, and what may follow one
_ENDINGS = "a o u is em or an ix el um ith oba ari en eth".split()


def told_by_a_word(rng: Random, draw_label: Draw, frame: Frame, n_examples: int, max_keys: int = 8) -> Document:
    """Return lines about the world, each with one of a few key words, under the label of that word.

    Several key words may share a label, drawn without regard to what they mean. All keys fill the same place of a
    sentence, or stand anywhere in a list of words.
    """
    n_keys = rng.randint(2, max_keys)
    slot = rng.choice(sorted(SLOTS))
    keys = rng.sample(list(SLOTS[slot]), n_keys)
    labels = distinct(_labels(rng, draw_label), rng, rng.randint(2, min(6, n_keys)))
    meaning = {key: labels[i % len(labels)] for i, key in enumerate(keys)}
    as_list, longest = rng.random() < 0.35, rng.randint(1, 6)
    others = [word for word in THINGS if word not in meaning]
    examples, seen = [], set()
    for _ in range(n_examples):
        key = rng.choice(keys)
        line = _list(rng, key, others, longest) if as_list else sentence(rng, slot, key)
        examples.append(_shown(frame, line, meaning[key], key in seen))
        seen.add(key)
    return Document(examples, frame.stop)


def told_by_a_stem(rng: Random, draw: Draw, frame: Frame, n_examples: int) -> Document:
    """Return made-up words under the label of their stem: `kalo kalis kalem` are alike, so are `mirum mira`."""
    stems = distinct(draw, rng, rng.randint(2, 5))
    labels = distinct(draw, rng, len(stems))
    examples, seen = [], set()
    for _ in range(n_examples):
        i = rng.randrange(len(stems))
        while not is_free(word := stems[i] + rng.choice(_ENDINGS)):
            pass
        examples.append(_shown(frame, word, labels[i], i in seen))
        seen.add(i)
    return Document(examples, frame.stop)


def copied(rng: Random, frame: Frame, n_examples: int) -> Document:
    """Return lines answered by what stands in brackets in them, or by themselves; known once shown."""
    whole = rng.random() < 0.3
    before, after = rng.choice(_BRACKETS)
    examples = []
    for n in range(n_examples):
        words = sentence(rng).split()
        low = rng.randrange(len(words))
        high = min(len(words), low + rng.choice((1, 1, 1, 2, 3)))
        part = " ".join(words[low:high])
        line = " ".join(words) if whole else " ".join([*words[:low], before + part + after, *words[high:]])
        examples.append(_shown(frame, line, line if whole else part, n > 0))
    return Document(examples, frame.stop)


def _labels(rng: Random, draw_label: Draw) -> Draw:
    return (lambda r: r.choice(NUMBERS)) if rng.random() < 0.15 else draw_label


def _list(rng: Random, key: str, others: Sequence[str], longest: int) -> str:
    words = rng.sample(others, rng.randint(0, longest))
    words.insert(rng.randint(0, len(words)), key)
    return " ".join(words)


def _shown(frame: Frame, line: str, answer: str, known: bool) -> Shown:
    return Shown(frame.before + line + frame.between, frame.gap + answer, known)
