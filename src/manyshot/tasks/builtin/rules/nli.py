"""NLI: does the second sentence follow from the first? Label words for yes, no and, where it can be, not known."""

from random import Random

from manyshot.tasks.builtin.lexicon import World, kind_of, with_article
from manyshot.tasks.builtin.rules.rule import Binding, Draw, Rule, Solve, words_of
from manyshot.tasks.task import Example

YES, NO, NOT_KNOWN = range(3)


def _draw_in_the_list(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b, c, other = world.some_things(rng, 4)
    place = world.one(rng, "place")
    asked = rng.choice((a, b, c)) if wanted == YES else other
    text = f"the {a}, the {b} and the {c} are in the {place}. the {asked} is in the {place}."
    return Example(text, binding.labels[wanted])


def _solve_in_the_list(text: str, binding: Binding) -> str:
    fact, claim = text.split(". ")
    return binding.labels[YES if words_of(claim)[1] in words_of(fact) else NO]


def _draw_colour_fact(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    thing, other_thing = world.some_things(rng, 2)
    colour, other_colour = world.some(rng, "colour", 2)
    if wanted == YES:
        claim = f"the {thing} is {colour}"
    elif wanted == NO:
        claim = f"the {thing} is {other_colour}"
    else:
        claim = f"the {other_thing} is {rng.choice((colour, other_colour))}"
    return Example(f"the {thing} is {colour}. {claim}.", binding.labels[wanted])


def _solve_colour_fact(text: str, binding: Binding) -> str:
    _, thing, _, colour, _, claimed_thing, _, claimed_colour = words_of(text)
    if thing != claimed_thing:
        return binding.labels[NOT_KNOWN]
    return binding.labels[YES if colour == claimed_colour else NO]


def _draw_kind_follows(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    kind, other = rng.sample(world.thing_kinds, 2)
    person, thing = world.one(rng, "person"), world.one(rng, kind)
    claimed = with_article(kind if wanted == YES else other)
    return Example(f"{person} has the {thing}. {person} has {claimed}.", binding.labels[wanted])


def _solve_kind_follows(text: str, binding: Binding) -> str:
    fact, claim = text.split(". ")
    return binding.labels[YES if words_of(claim)[-1] == kind_of(words_of(fact)[-1]) else NO]


def _draw_before_after(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    first, last = world.some(rng, "person", 2)
    fact, claim = (_order(first, last, rng.choice(("before", "after"))) for _ in range(2))
    if wanted == NO:
        claim = _order(last, first, rng.choice(("before", "after")))
    return Example(f"{fact}. {claim}.", binding.labels[wanted])


def _order(first: str, last: str, how: str) -> str:
    return f"{first} came before {last}" if how == "before" else f"{last} came after {first}"


def _solve_before_after(text: str, binding: Binding) -> str:
    fact, claim = (words_of(sentence) for sentence in text.split(". "))
    first_came, first_claimed = (a if how == "before" else b for a, _, how, b in (fact, claim))
    return binding.labels[YES if first_came == first_claimed else NO]


def _draw_price_claim(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    low, high = sorted(rng.sample(range(2, 20), 2))
    more = rng.random() < 0.5
    # "costs high ... more than low" and "costs low ... less than high" are true
    price, limit = (high, low) if more == (wanted == YES) else (low, high)
    thing = world.thing(rng)
    claim = f"the {thing} costs {'more' if more else 'less'} than {limit} coins"
    return Example(f"the {thing} costs {price} coins. {claim}.", binding.labels[wanted])


def _solve_price_claim(text: str, binding: Binding) -> str:
    price, limit = (int(word) for word in words_of(text) if word.isdigit())
    return binding.labels[YES if ("more" in words_of(text)) == (price > limit) else NO]


def _draw_both_neither(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b, other = world.some(rng, "person", 3)
    place = world.one(rng, "place")
    both = wanted == YES if wanted != NOT_KNOWN else rng.random() < 0.5
    fact = f"both {a} and {b} were" if both else f"neither {a} nor {b} was"
    asked = other if wanted == NOT_KNOWN else rng.choice((a, b))
    return Example(f"{fact} in the {place}. {asked} was in the {place}.", binding.labels[wanted])


def _solve_both_neither(text: str, binding: Binding) -> str:
    fact, claim = (words_of(sentence) for sentence in text.split(". "))
    if claim[0] not in fact:
        return binding.labels[NOT_KNOWN]
    return binding.labels[YES if fact[0] == "both" else NO]


def _rule(name: str, needs_demonstrations: bool, n_labels: int, meaning: str, draw: Draw, solve: Solve) -> Rule:
    return Rule(name, "nli", "accuracy", needs_demonstrations, meaning, draw, solve, n_labels=n_labels)


NLI = (
    _rule("in_the_list", False, 2, "is the thing among those named?", _draw_in_the_list, _solve_in_the_list),
    _rule(
        "colour_fact", True, 3, "same colour, another colour, or another thing", _draw_colour_fact, _solve_colour_fact
    ),
    _rule("kind_follows", True, 2, "is the thing of the kind claimed?", _draw_kind_follows, _solve_kind_follows),
    _rule("before_after", False, 2, "do both sentences tell one order?", _draw_before_after, _solve_before_after),
    _rule("price_claim", True, 2, "does more than or less than hold?", _draw_price_claim, _solve_price_claim),
    _rule("both_neither", True, 3, "both, neither, or another person", _draw_both_neither, _solve_both_neither),
)
