"""Summarisation: a shorter text made of the text's own words."""

import re
from collections import Counter
from random import Random

from manyshot.tasks.builtin.lexicon import THING_KINDS, World, kind_of
from manyshot.tasks.builtin.rules.rule import Binding, Draw, Rule, Solve, words_of
from manyshot.tasks.task import Example

_DESCRIBING = frozenset(("good", "bad", "big", "small", "plain", "colour"))
_THINGS = frozenset(kind for kinds in THING_KINDS.values() for kind in kinds)


def _deed(rng: Random, world: World) -> str:
    return f"{world.one(rng, 'person')} {world.one(rng, 'deed')} the {world.thing(rng)}"


def _draw_main_part(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    main = _deed(rng, world)
    return Example(f"{main} because the {world.one(rng, 'place')} was {rng.choice(world.adjectives)}", main)


def _solve_main_part(text: str, binding: Binding) -> str:
    return text.partition(" because")[0]


def _draw_title(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    twice, once = world.some_things(rng, 2)
    sentences = [f"the {twice} was {rng.choice(world.adjectives)}."]
    for thing in (twice, once):
        sentences.append(f"{world.one(rng, 'person')} {world.one(rng, 'deed')} the {thing}.")
    rng.shuffle(sentences)
    return Example(" ".join(sentences), (twice, once)[binding.number])


def _solve_title(text: str, binding: Binding) -> str:
    counts = Counter(word for word in words_of(text) if kind_of(word) in _THINGS)
    (twice, _), (once, _) = counts.most_common()
    return (twice, once)[binding.number]


def _draw_keywords(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    person, place = world.one(rng, "person"), world.one(rng, "place")
    a, b = world.some_things(rng, 2)
    text = f"{person} {world.one(rng, 'deed')} the {rng.choice(world.adjectives)} {a} and the {b} in the {place}"
    return Example(text, (f"{a} {b}", f"{person} {place}", f"{person} {a}")[binding.number])


def _solve_keywords(text: str, binding: Binding) -> str:
    words = words_of(text)
    things = [word for word in words if kind_of(word) in _THINGS]
    person, place = (next(word for word in words if kind_of(word) == kind) for kind in ("person", "place"))
    return " ".join((things, [person, place], [person, things[0]])[binding.number])


def _draw_one_sentence(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    sentences = [_deed(rng, world), _deed(rng, world)]
    return Example(". ".join(sentences) + ".", sentences[binding.number])


def _solve_one_sentence(text: str, binding: Binding) -> str:
    return text.removesuffix(".").split(". ")[binding.number]


def _draw_plain_phrase(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b = world.some_things(rng, 2)
    text = f"the {rng.choice(world.adjectives)} {a} is near the {world.one(rng, 'colour')} {b}"
    return Example(text, f"the {a} is near the {b}")


def _solve_plain_phrase(text: str, binding: Binding) -> str:
    return " ".join(word for word in words_of(text) if kind_of(word) not in _DESCRIBING)


def _draw_who_did_it(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    person, deed, thing = world.one(rng, "person"), world.one(rng, "deed"), world.thing(rng)
    text = f"the {rng.choice(world.adjectives)} {thing} was {deed} by {person}"
    return Example(text, f"{person} {deed} the {thing}")


def _solve_who_did_it(text: str, binding: Binding) -> str:
    found = re.fullmatch(r"the \w+ (\w+) was (\w+) by (\w+)", text)
    if found is None:
        raise ValueError(f"{text!r} is no input of this rule")
    thing, deed, person = found.groups()
    return f"{person} {deed} the {thing}"


def _draw_all_names(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    n = rng.choice((2, 3))
    people, places = world.some(rng, "person", n), world.some(rng, "place", n)
    text = " ".join(f"{person} was in the {place}." for person, place in zip(people, places, strict=True))
    return Example(text, " and ".join((people, places)[binding.number]))


def _solve_all_names(text: str, binding: Binding) -> str:
    return " and ".join(word for word in words_of(text) if kind_of(word) == ("person", "place")[binding.number])


def _rule(
    name: str,
    needs_demonstrations: bool,
    meaning: str,
    draw: Draw,
    solve: Solve,
    metric: str = "exact_match",
    **fields,
) -> Rule:
    return Rule(name, "summarization", metric, needs_demonstrations, meaning, draw, solve, **fields)


SUMMARIZATION = (
    _rule("main_part", False, "the sentence without its reason", _draw_main_part, _solve_main_part, "rouge_l"),
    _rule(
        "title",
        True,
        "the thing that is named twice, or the one named once",
        _draw_title,
        _solve_title,
        numbers={"train": (0, 1), "dev": (0, 1), "held_out": (0, 1)},
    ),
    _rule(
        "keywords",
        True,
        "two of person, things and place",
        _draw_keywords,
        _solve_keywords,
        "rouge_l",
        numbers={"train": (0, 1), "held_out": (2,)},
    ),
    _rule(
        "one_sentence",
        True,
        "the first sentence, or the second",
        _draw_one_sentence,
        _solve_one_sentence,
        "rouge_l",
        numbers={"train": (0, 1)},
    ),
    _rule(
        "plain_phrase", False, "the text without describing words", _draw_plain_phrase, _solve_plain_phrase, "rouge_l"
    ),
    _rule("who_did_it", False, "who did what, told from the person", _draw_who_did_it, _solve_who_did_it),
    _rule(
        "all_names",
        True,
        "every person named, or every place",
        _draw_all_names,
        _solve_all_names,
        "rouge_l",
        numbers={"held_out": (0, 1)},
    ),
)
