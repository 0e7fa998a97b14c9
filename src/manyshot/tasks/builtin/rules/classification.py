"""Classification: label words for what a text speaks of, how it sounds, or how it is built."""

from random import Random

from manyshot.tasks.builtin.lexicon import World, kind_of
from manyshot.tasks.builtin.rules.rule import Binding, Draw, Rule, Solve, words_of
from manyshot.tasks.task import Example


def _draw_kind_of_thing(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    thing = world.one(rng, binding.kinds[wanted])
    text = f"the {rng.choice(world.adjectives)} {world.one(rng, 'colour')} {thing}"
    return Example(text, binding.labels[wanted])


def _solve_kind_of_last(text: str, binding: Binding) -> str:
    return binding.labels[binding.kinds.index(kind_of(words_of(text)[-1]))]


def _draw_topic(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b = world.some(rng, binding.kinds[wanted], 2)
    return Example(f"{world.one(rng, 'person')} {world.one(rng, 'deed')} the {a} and the {b}", binding.labels[wanted])


def _draw_mood(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b = world.some(rng, ("good", "bad")[wanted], 2)
    text = f"the {world.thing(rng)} was {a} and {world.one(rng, 'person')} was {b}"
    return Example(text, binding.labels[wanted])


def _solve_mood(text: str, binding: Binding) -> str:
    return binding.labels["bad" in map(kind_of, words_of(text))]


def _draw_negation(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    was = ("was", "was not")[wanted]
    text = f"{world.one(rng, 'person')} {was} {rng.choice(('in', 'near'))} the {world.one(rng, 'place')}"
    return Example(f"{text} with the {world.thing(rng)}", binding.labels[wanted])


def _solve_negation(text: str, binding: Binding) -> str:
    return binding.labels["not" in words_of(text)]


def _draw_kind_by_place(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    kinds = [rng.choice(binding.kinds), rng.choice(binding.kinds)]
    kinds[binding.number] = binding.kinds[wanted]
    first, last = (world.one(rng, kind) for kind in kinds)
    return Example(f"the {first} is near the {last}", binding.labels[wanted])


def _solve_kind_by_place(text: str, binding: Binding) -> str:
    things = [word for word in words_of(text) if kind_of(word)]
    return binding.labels[binding.kinds.index(kind_of(things[binding.number]))]


def _draw_told_kind(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    thing = world.one(rng, binding.kinds[wanted])
    text = f"{world.one(rng, 'person')} {world.one(rng, 'deed')} the {world.one(rng, 'plain')} {thing}"
    return Example(text, binding.labels[wanted])


def _draw_same_kind(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    kind, other = rng.sample(world.thing_kinds, 2)
    a, b = world.some(rng, kind, 2)
    if wanted:
        b = world.one(rng, other)
    return Example(f"the {a} and the {b}", binding.labels[wanted])


def _solve_same_kind(text: str, binding: Binding) -> str:
    things = [word for word in words_of(text) if kind_of(word)]
    return binding.labels[kind_of(things[0]) != kind_of(things[1])]


def _draw_length(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    n = rng.choice(((1, 2), (5, 6))[wanted])
    return Example(f"{world.one(rng, 'person')}, " + ", ".join(world.some_things(rng, n)), binding.labels[wanted])


def _solve_length(text: str, binding: Binding) -> str:
    return binding.labels[len(words_of(text)) > 4]


def _draw_twice(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    things = world.some_things(rng, 4)
    if wanted == 0:
        kept, changed = rng.sample(range(4), 2)
        things[changed] = things[kept]
    return Example(", ".join(things), binding.labels[wanted])


def _solve_twice(text: str, binding: Binding) -> str:
    words = words_of(text)
    return binding.labels[len(set(words)) == len(words)]


def _draw_size(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    adjective = world.one(rng, ("big", "small")[wanted])
    text = f"the {adjective} {world.thing(rng)} was {rng.choice(('in', 'near'))} the {world.one(rng, 'place')}"
    return Example(text, binding.labels[wanted])


def _solve_size(text: str, binding: Binding) -> str:
    return binding.labels["small" in map(kind_of, words_of(text))]


def _rule(
    name: str, meaning: str, draw: Draw, solve: Solve, n_labels: int = 2, needs_demonstrations: bool = True, **fields
) -> Rule:
    fields["n_labels"] = n_labels
    return Rule(name, "classification", "accuracy", needs_demonstrations, meaning, draw, solve, **fields)


CLASSIFICATION = (
    _rule(
        "kind_of_thing",
        "the label stands for the kind of the thing",
        _draw_kind_of_thing,
        _solve_kind_of_last,
        3,
        n_kinds=3,
    ),
    _rule("topic", "the label stands for the kind of both things", _draw_topic, _solve_kind_of_last, 4, n_kinds=4),
    _rule("mood", "one label for pleasant words, one for unpleasant words", _draw_mood, _solve_mood),
    _rule("negation", "one label for sentences with not, one for sentences without", _draw_negation, _solve_negation),
    _rule(
        "kind_by_place",
        "the label stands for the kind of the first thing, or of the last",
        _draw_kind_by_place,
        _solve_kind_by_place,
        n_kinds=2,
        numbers={"train": (0, 1)},
    ),
    _rule(
        "told_kind",
        "the instruction says which label stands for which kind",
        _draw_told_kind,
        _solve_kind_of_last,
        n_kinds=2,
        needs_demonstrations=False,
    ),
    _rule("same_kind", "do both things belong to one kind?", _draw_same_kind, _solve_same_kind),
    _rule("length", "one label for short lists, one for long lists", _draw_length, _solve_length),
    _rule("twice", "does a word stand in the list twice?", _draw_twice, _solve_twice),
    _rule("size", "one label for large things, one for small things", _draw_size, _solve_size),
)
