"""Plain text about the built-in suite's small world: its words with their kinds, sentences, prose. Seeded, no files.

Words of a kind stand together here, so that a model learns which do. No text asks, sorts, counts or answers: what the
suite's tasks do with the words is for the tasks alone to show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from manyshot.tasks.builtin import suite_vocabulary

_VOCABULARY = suite_vocabulary()

WORDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(word for words in parts.values() for word in words) for kind, parts in _VOCABULARY["words"].items()
}
"""Kind -> words of every part of the suite."""
THING_KINDS: tuple[str, ...] = tuple(kind for kinds in _VOCABULARY["thing_kinds"].values() for kind in kinds)
"""Kinds of things, such as `fish`; the other kinds are what sentences need: persons, places, colours ..."""
_KINDS: Mapping[str, Sequence[str]] = {kind: WORDS[kind] for kind in THING_KINDS}
NUMBERS: tuple[str, ...] = tuple(map(str, range(1, 61)))
ADJECTIVES: tuple[str, ...] = tuple(w for kind in ("good", "bad", "big", "small", "plain") for w in WORDS[kind])
THINGS: tuple[str, ...] = tuple(word for kind in THING_KINDS for word in WORDS[kind])
SLOTS: Mapping[str, Sequence[str]] = {
    "person": WORDS["person"],
    "place": WORDS["place"],
    "colour": WORDS["colour"],
    "deed": WORDS["deed"],
    "adjective": ADJECTIVES,
    "thing": THINGS,
    "number": NUMBERS[1:40],
}
"""What a sentence has places for -> the words that may stand there."""
_SENTENCES = (
    "{person} {deed} the {thing}",
    "{person} {deed} the {adjective} {thing}",
    "{person} {deed} the {colour} {thing} near the {place}",
    "{person} was in the {place} with {person2}",
    "{person} has the {adjective} {thing}",
    "{person} has {number} coins for the {thing}",
    "the {adjective} {thing} is in the {place}",
    "the {colour} {thing} costs {number} coins",
    "the {thing} of {person} is {colour}",
    "the {thing} and the {thing2} are {adjective}",
    "the {thing} was {adjective} and {person} was {adjective2}",
    "the {adjective} {colour} {thing}",
    "in the {place} {person} had the {thing}, the {thing2} and the {thing3}",
    "because the {place} was {adjective}, {person} took the {thing}",
    "{thing} {thing2} {thing3}",
    "{person}, {thing}, {thing2}",
    "{person} got the {thing} for {number} coins",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the sentences of one document have in common: a few patterns, and few words a place, as a task's lines have."""

    patterns: tuple[str, ...]
    words: Mapping[str, Sequence[str]]
    """As SLOTS."""


_EVERYWHERE = Scene(_SENTENCES, SLOTS)


def narrow_scene(rng: Random, slot: str) -> Scene:
    """Return one to three patterns with a place for `slot`, and three to eight words for every place."""
    patterns = _patterns_with(_SENTENCES, slot)
    words = {name: rng.sample(list(words), min(len(words), rng.randint(3, 8))) for name, words in SLOTS.items()}
    return Scene(tuple(rng.sample(patterns, min(len(patterns), rng.randint(1, 3)))), words)


def sentence(rng: Random, slot: str | None = None, word: str | None = None, scene: Scene = _EVERYWHERE) -> str:
    """Return a sentence without a full stop; with `slot` one that has that place, and `word` stands there.

    No other place holds a word of that slot's kind.
    """
    patterns = scene.patterns if slot is None else _patterns_with(scene.patterns, slot)
    pattern = rng.choice(patterns)
    chosen: dict[str, str] = {}
    for name in SLOTS:
        if f"{{{name}" in pattern:
            first, second, third = rng.sample(scene.words[name], 3)
            chosen |= {name: first, f"{name}2": second, f"{name}3": third}
    if slot is not None and word is not None:
        chosen[slot] = word
    return pattern.format(**chosen)


def _patterns_with(patterns: Sequence[str], slot: str) -> list[str]:
    return [s for s in patterns if f"{{{slot}}}" in s and f"{{{slot}2}}" not in s]


def prose(rng: Random, n_sentences: int, groups: Mapping[str, Sequence[str]] = _KINDS) -> str:
    """Return sentences about two or three people and things of a few kinds, with what stays true of them told again.

    `groups` (name -> things) are what a person's things are drawn from, one for each.
    """
    people = rng.sample(WORDS["person"], rng.randint(2, 3))
    facts = {person: _Facts(rng, groups) for person in people}
    said = []
    for _ in range(n_sentences):
        person = rng.choice(people)
        said.append(_told(rng, person, facts[person], rng.choice(people)))
    text = " ".join(said)
    return text[0].upper() + text[1:]


class _Facts:
    """What is so about one person: things of one kind, a place, a colour, a mood."""

    def __init__(self, rng: Random, groups: Mapping[str, Sequence[str]]) -> None:
        self.kind = rng.choice(tuple(groups))
        self.things = rng.sample(groups[self.kind], 4)
        self.place = rng.choice(WORDS["place"])
        self.colour = rng.choice(WORDS["colour"])
        self.mood = rng.sample(WORDS[rng.choice(("good", "bad"))], 3)
        self.size = rng.sample(WORDS[rng.choice(("big", "small"))], 2)
        self.plain = rng.choice(WORDS["plain"])
        self.number = rng.randint(2, 40)


def _told(rng: Random, name: str, f: _Facts, other: str) -> str:
    one, two, three = rng.sample(f.things, 3)
    mood, mood2 = rng.sample(f.mood, 2)
    deed, deed2 = rng.sample(WORDS["deed"], 2)
    return rng.choice(
        (
            f"{name} likes the {one}, the {two} and the {three}.",
            f"{name} {deed} the {one} and the {two}.",
            f"{_a(one)} is {_a(f.kind)}, and so is {_a(two)}.",
            f"every {f.kind} is {mood} to {name}: {one}, {two}, {three}.",
            f"{name} has {_a(f.colour)} {one} in the {f.place}.",
            f"the {f.place} of {name} is {mood} and {mood2}.",
            f"the {one} is {f.size[0]}, {f.size[1]} and {f.plain}.",
            f"{name} {deed} the {f.colour} {one}, then {deed2} it in the {f.place}.",
            f"{name} was {mood} and {mood2} in the {f.place}.",
            f"{name} sold {_a(one)} to {other} at {f.number} coins.",
            f"{other} and {name} were in the {f.place}.",
            f"{name}, who is {mood}, {deed} {_a(f.kind)}.",
            f"from {f.number} up to {f.number + 3} the rooms are {f.colour}.",
        )
    )


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
