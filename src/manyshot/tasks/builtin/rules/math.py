"""Math: small sums about coins, counting words, comparing and continuing numbers."""

from random import Random

from manyshot.tasks.builtin.lexicon import World, kind_of
from manyshot.tasks.builtin.rules.rule import Binding, Draw, Rule, Solve, words_of
from manyshot.tasks.task import Example


def _numbers(text: str) -> list[int]:
    return [int(word) for word in words_of(text) if word.isdigit()]


def _draw_earned(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    one, other = world.some_things(rng, 2)
    text = f"{world.one(rng, 'person')} got {a} coins for the {one} and {b} coins for the {other}"
    return Example(text, str(a + b))


def _solve_earned(text: str, binding: Binding) -> str:
    return str(sum(_numbers(text)))


def _draw_left_over(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    paid, left = rng.randint(2, 9), rng.randint(1, 9)
    buyer, seller = world.some(rng, "person", 2)
    text = f"{buyer} had {paid + left} coins and gave {seller} {paid} coins for the {world.thing(rng)}"
    return Example(text, str(left))


def _solve_left_over(text: str, binding: Binding) -> str:
    had, paid = _numbers(text)
    return str(had - paid)


def _draw_count_words(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    n = rng.randint(2, 7)
    return Example(" ".join(world.some_things(rng, n)), str(n))


def _solve_count_words(text: str, binding: Binding) -> str:
    return str(len(words_of(text)))


def _draw_count_kind(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    # unequal counts, so that the answer is never right for both kinds
    n, n_others = rng.sample(range(1, 5), 2)
    words = world.some(rng, binding.kinds[0], n) + world.some(rng, binding.kinds[1], n_others)
    rng.shuffle(words)
    return Example(" ".join(words), str(n))


def _solve_count_kind(text: str, binding: Binding) -> str:
    return str(sum(kind_of(word) == binding.kinds[0] for word in words_of(text)))


def _draw_price_change(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    price = rng.randint(2, 20)
    text = f"the {world.one(rng, 'colour')} {world.thing(rng)} costs {price} coins"
    return Example(text, str(price + binding.number))


def _solve_price_change(text: str, binding: Binding) -> str:
    return str(_numbers(text)[0] + binding.number)


def _draw_who_has_more(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    people, counts = world.some(rng, "person", 2), rng.sample(range(2, 20), 2)
    text = f"{people[0]} has {counts[0]} coins and {people[1]} has {counts[1]} coins"
    return Example(text, people[counts[1] > counts[0]])


def _solve_who_has_more(text: str, binding: Binding) -> str:
    (first, second), (a, b) = (w for w in words_of(text) if kind_of(w) == "person"), _numbers(text)
    return first if a > b else second


def _draw_end_of_prices(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    things, prices = world.some_things(rng, 3), rng.sample(range(2, 20), 3)
    a, b, c = (f"the {thing} costs {price} coins" for thing, price in zip(things, prices, strict=True))
    return Example(f"{a}, {b} and {c}", str((min, max)[binding.number](prices)))


def _solve_end_of_prices(text: str, binding: Binding) -> str:
    return str(sorted(_numbers(text))[(0, -1)[binding.number]])


def _draw_next_number(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    start, step, n = rng.randint(1, 60), rng.randint(1, 9), rng.choice((3, 4))
    row = range(start, start + n * step, step)
    return Example(" ".join(map(str, row)), str(start + n * step))


def _solve_next_number(text: str, binding: Binding) -> str:
    row = _numbers(text)
    return str(2 * row[-1] - row[-2])


def _draw_how_often(rng: Random, world: World, binding: Binding, wanted: int) -> Example:
    first, other = world.some_things(rng, 2)
    n, n_others = rng.sample(range(1, 5), 2)
    rest = [first] * (n - 1) + [other] * n_others
    rng.shuffle(rest)
    return Example(" ".join([first, *rest]), str((n, n_others)[binding.number]))


def _solve_how_often(text: str, binding: Binding) -> str:
    words = words_of(text)
    n = words.count(words[0])
    return str((n, len(words) - n)[binding.number])


def _rule(
    name: str, needs_demonstrations: bool, meaning: str, draw: Draw, solve: Solve, metric: str = "numeric", **fields
) -> Rule:
    return Rule(name, "math", metric, needs_demonstrations, meaning, draw, solve, **fields)


MATH = (
    _rule("earned", False, "the sum of both amounts", _draw_earned, _solve_earned),
    _rule("left_over", False, "the difference of both amounts", _draw_left_over, _solve_left_over),
    _rule("count_words", False, "how many words there are", _draw_count_words, _solve_count_words),
    _rule("count_kind", True, "how many words are of one kind", _draw_count_kind, _solve_count_kind, n_kinds=2),
    _rule(
        "price_change",
        True,
        "the price and a fixed amount",
        _draw_price_change,
        _solve_price_change,
        numbers={"train": (1, 2, 10, 3, 5, -1), "dev": (6,), "held_out": (4,)},
    ),
    _rule("who_has_more", False, "the person with more coins", _draw_who_has_more, _solve_who_has_more, "exact_match"),
    _rule(
        "end_of_prices",
        True,
        "the lowest price, or the highest",
        _draw_end_of_prices,
        _solve_end_of_prices,
        numbers={"train": (0, 1)},
    ),
    _rule("next_number", False, "the next number of even steps", _draw_next_number, _solve_next_number),
    _rule(
        "how_often",
        True,
        "how often the first word stands there, or the other",
        _draw_how_often,
        _solve_how_often,
        numbers={"held_out": (0, 1)},
    ),
)
