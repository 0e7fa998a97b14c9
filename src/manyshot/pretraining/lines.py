r"""Documents whose prompts are whole lines: one word of each tells the label, or the answer stands in it in brackets.

Anna sold the red cup: kalo           the word behind "the" tells it, told by which lines came before
Ben sold the red hat: miru
Eva kept the old cup: kalo            known
"""

from collections.abc import Sequence
from random import Random

from manyshot.pretraining.documents import Document, Frame, Shown
from manyshot.pretraining.words import Draw, distinct, is_free, training_word
from manyshot.pretraining.world import NUMBERS, SLOTS, THINGS, narrow_scene, sentence

_EVERY_WORD = frozenset(word for words in SLOTS.values() for word in words)
_BRACKETS = (("( ", " )"), ("[ ", " ]"), ('" ', ' "'), ("* ", " *"))
# stems of made-up words, and what may follow one
_ENDINGS = "a o u is em or an ix el um ith oba ari en eth".split()


def told_by_a_word(
    rng: Random, draw_label: Draw, frame: Frame, n_examples: int, max_keys: int = 8, *, narrow: bool = False
) -> Document:
    """Return lines about the world, each with one of a few key words, under the label of that word.

    Several key words may share a label, drawn without regard to what they mean. All keys fill the same place of a
    sentence, or stand anywhere in a list of words. With `narrow` the other words come from a few as well, so that they too
    come again, under every label: which words tell nothing has to be seen from the lines before.
    """
    n_keys = rng.randint(2, max_keys)
    slot = rng.choice(sorted(SLOTS))
    keys = rng.sample(list(SLOTS[slot]), n_keys)
    labels = distinct(_labels(rng, draw_label), rng, rng.randint(2, min(6, n_keys)))
    meaning = {key: labels[i % len(labels)] for i, key in enumerate(keys)}
    as_list, longest = rng.random() < 0.35, rng.randint(1, 6)
    others = [word for word in THINGS if word not in meaning]
    scene = {"scene": narrow_scene(rng, slot)} if narrow else {}
    if narrow:
        others = rng.sample(others, rng.randint(longest, 12))
    examples, seen = [], set()
    for _ in range(n_examples):
        key = rng.choice(keys)
        line = _list(rng, key, others, longest) if as_list else sentence(rng, slot, key, **scene)
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


def picked(rng: Random, frame: Frame, n_examples: int) -> Document:
    """Return lines answered by one word of theirs, always by the same sign: known once shown.

    The word beside a made-up one that stands in every line; the only made-up word among others; or the number, the
    deed or the adjective of a sentence. None of these is asked for by the suite.
    """
    how = rng.choice(("behind", "before", "strange", "number", "deed", "adjective"))
    slot = how if how in SLOTS else rng.choice(("thing", "place", "colour"))
    scene = narrow_scene(rng, slot)
    pool = [word for words in scene.words.values() for word in words] if rng.random() < 0.5 else list(THINGS)
    n_words = rng.randint(2, 6)
    marker = _stranger(rng)
    examples = []
    for n in range(n_examples):
        if how in SLOTS:
            answer = rng.choice(SLOTS[how])
            line = sentence(rng, how, answer, scene)
        else:
            words = rng.sample(pool, n_words)
            low = rng.randrange(n_words)
            if how == "strange":
                answer = words[low] = _stranger(rng)
            else:
                answer = words[low]
                words.insert(low if how == "behind" else low + 1, marker)
            line = " ".join(words)
        examples.append(_shown(frame, line, answer, n > 0))
    return Document(examples, frame.stop)


def _stranger(rng: Random) -> str:
    while (word := training_word(rng)) in _EVERY_WORD:
        pass
    return word


def _labels(rng: Random, draw_label: Draw) -> Draw:
    return (lambda r: r.choice(NUMBERS)) if rng.random() < 0.15 else draw_label


def _list(rng: Random, key: str, others: Sequence[str], longest: int) -> str:
    words = rng.sample(others, rng.randint(0, longest))
    words.insert(rng.randint(0, len(words)), key)
    return " ".join(words)


def _shown(frame: Frame, line: str, answer: str, known: bool) -> Shown:
    return Shown(frame.before + line + frame.between, frame.gap + answer, known)
