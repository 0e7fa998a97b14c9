"""QA: one word of the text is the answer. A question asks for it, or examples show which word is meant."""

from random import Random

from manyshot.tasks.builtin.lexicon import World, kind_of
from manyshot.tasks.builtin.rules.rule import Binding, Draw, Rule, Solve, words_of
from manyshot.tasks.task import Example

_ROLES = ("person", "colour", "thing", "place")


def _draw_who_has(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    n = rng.choice((2, 3))
    people, things = world.some(rng, "person", n), world.some_things(rng, n)
    asked = rng.randrange(n)
    facts = " ".join(f"{person} has the {thing}." for person, thing in zip(people, things, strict=True))
    return Example(f"{facts} who has the {things[asked]}?", people[asked])


def _solve_who_has(text: str, binding: Binding) -> str:
    *facts, question = text.split(". ")
    owner = {words_of(fact)[-1]: words_of(fact)[0] for fact in facts}
    return owner[words_of(question)[-1]]


def _draw_where_is(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    n = rng.choice((2, 3))
    things, places = world.some_things(rng, n), world.some(rng, "place", n)
    asked = rng.randrange(n)
    facts = " ".join(f"the {thing} is in the {place}." for thing, place in zip(things, places, strict=True))
    return Example(f"{facts} where is the {things[asked]}?", places[asked])


def _solve_where_is(text: str, binding: Binding) -> str:
    *facts, question = text.split(". ")
    place = {words_of(fact)[1]: words_of(fact)[-1] for fact in facts}
    return place[words_of(question)[-1]]


def _draw_word_at_place(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    things = world.some_things(rng, rng.choice((3, 4, 5)))
    return Example(" ".join(things), things[binding.number])


def _solve_word_at_place(text: str, binding: Binding) -> str:
    return words_of(text)[binding.number]


def _draw_word_of_kind(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    things = [world.one(rng, kind) for kind in binding.kinds]
    meant = things[0]
    rng.shuffle(things)
    return Example(" ".join(things), meant)


def _solve_word_of_kind(text: str, binding: Binding) -> str:
    return next(word for word in words_of(text) if kind_of(word) == binding.kinds[0])


def _draw_beside_colour(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    words = world.some_things(rng, rng.choice((3, 4)))
    place = rng.randrange(1, len(words))
    words.insert(place, world.one(rng, "colour"))
    return Example(" ".join(words), words[place + binding.number])


def _solve_beside_colour(text: str, binding: Binding) -> str:
    words = words_of(text)
    return words[[kind_of(word) for word in words].index("colour") + binding.number]


def _draw_role(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    person, colour, place = (world.one(rng, kind) for kind in ("person", "colour", "place"))
    thing = world.thing(rng)
    return Example(f"{person} took the {colour} {thing} to the {place}", (person, colour, thing, place)[binding.number])


def _solve_role(text: str, binding: Binding) -> str:
    person, _, _, colour, thing, _, _, place = words_of(text)
    return {"person": person, "colour": colour, "thing": thing, "place": place}[_ROLES[binding.number]]


def _draw_two_hops(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    asked, friend, other = world.some(rng, "person", 3)
    here, there = world.some(rng, "place", 2)
    facts = [f"{asked} is with {friend}.", f"{friend} is in the {here}.", f"{other} is in the {there}."]
    rng.shuffle(facts)
    return Example(f"{' '.join(facts)} where is {asked}?", here)


def _solve_two_hops(text: str, binding: Binding) -> str:
    *facts, question = (words_of(sentence) for sentence in text.split(". "))
    friend = {fact[0]: fact[-1] for fact in facts if "with" in fact}
    place = {fact[0]: fact[-1] for fact in facts if "in" in fact}
    return place[friend[question[-1]]]


def _draw_odd_one_out(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    kind, other = rng.sample(world.thing_kinds, 2)
    odd = world.one(rng, other)
    words = [*world.some(rng, kind, 3), odd]
    rng.shuffle(words)
    return Example(" ".join(words), odd)


def _solve_odd_one_out(text: str, binding: Binding) -> str:
    words = words_of(text)
    kinds = [kind_of(word) for word in words]
    return next(word for word, kind in zip(words, kinds, strict=True) if kinds.count(kind) == 1)


def _rule(name: str, needs_demonstrations: bool, meaning: str, draw: Draw, solve: Solve, **fields) -> Rule:
    return Rule(name, "qa", "exact_match", needs_demonstrations, meaning, draw, solve, **fields)


QA = (
    _rule("who_has", False, "the person who has the thing asked for", _draw_who_has, _solve_who_has),
    _rule("where_is", False, "the place of the thing asked for", _draw_where_is, _solve_where_is),
    _rule(
        "word_at_place",
        True,
        "the word at one place of the list",
        _draw_word_at_place,
        _solve_word_at_place,
        # second is held out: neither end, so copying an end cannot pass for it
        numbers={"train": (0, -1), "held_out": (1,)},
    ),
    _rule("word_of_kind", True, "the word of one kind", _draw_word_of_kind, _solve_word_of_kind, n_kinds=3),
    _rule(
        "beside_colour",
        True,
        "the word after the colour, or before it",
        _draw_beside_colour,
        _solve_beside_colour,
        numbers={"train": (1, -1)},
    ),
    _rule(
        "role",
        True,
        "the person, the colour, the thing or the place",
        _draw_role,
        _solve_role,
        numbers={"train": (0, 1, 3), "held_out": (2,)},
    ),
    _rule("two_hops", False, "the place of the person's company", _draw_two_hops, _solve_two_hops),
    _rule("odd_one_out", False, "the word of another kind than the rest", _draw_odd_one_out, _solve_odd_one_out),
)
