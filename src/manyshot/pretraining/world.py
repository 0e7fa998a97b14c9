"""A small world in plain English: some people, places and kinds of things, and prose about them. Seeded, no files."""

from collections.abc import Mapping, Sequence
from random import Random

KINDS: Mapping[str, Sequence[str]] = {
    "animal": "cat dog horse cow sheep goat duck hen fox wolf bear hare mouse frog owl pig".split(),
    "fruit": "apple pear plum cherry grape lemon melon peach fig lime orange banana".split(),
    "tool": "hammer saw spade rake drill axe knife brush broom needle ladder rope".split(),
    "food": "bread soup rice cake cheese egg butter honey salt sugar pie bean".split(),
    "cloth": "hat coat shoe sock shirt scarf glove dress belt boot cap".split(),
    "vehicle": "car bus train boat ship bike truck plane cart sled".split(),
    "room": "kitchen garden barn attic cellar hall garage office shop school".split(),
    "colour": "red blue green yellow black white brown pink grey purple".split(),
    "weather": "rain snow wind fog storm frost sun cloud hail thunder".split(),
    "plant": "tree grass rose moss fern oak pine bush reed clover".split(),
    "body": "hand foot arm leg head nose ear eye knee back".split(),
    "music": "drum flute harp violin piano horn bell guitar song tune".split(),
}
PEOPLE = "anna ben carla david emma felix grace henry iris jack kate leo mary nina oscar paul rosa sam tom vera".split()
PLACES = "river lake hill forest market bridge tower station farm beach village island road park mill".split()
GOOD = "good happy warm bright kind clean fresh calm lovely quick".split()
BAD = "bad sad cold dark cruel dirty stale loud awful slow".split()
_NUMBERS = "one two three four five six seven eight nine ten".split()


def prose(rng: Random, n_sentences: int) -> str:
    """Return sentences about two or three people who keep doing things with the same few objects.

    What was said of a person stays true within the text, so that its end can be told from its beginning.
    """
    people = [name.capitalize() for name in rng.sample(PEOPLE, rng.randint(2, 3))]
    facts = {name: _Facts(rng) for name in people}
    return " ".join(
        _sentence(rng, name := rng.choice(people), facts[name], rng.choice(people)) for _ in range(n_sentences)
    )


class _Facts:
    """What is so about one person."""

    def __init__(self, rng: Random) -> None:
        self.pet = rng.choice(KINDS["animal"])
        self.colour = rng.choice(KINDS["colour"])
        self.cloth = rng.choice(KINDS["cloth"])
        self.food = rng.choice((*KINDS["food"], *KINDS["fruit"]))
        self.tool = rng.choice((*KINDS["tool"], *KINDS["music"]))
        self.place = rng.choice((*PLACES, *KINDS["room"]))
        self.number = rng.randint(2, 9)
        self.mood = rng.choice((*GOOD, *BAD))


def _sentence(rng: Random, name: str, facts: _Facts, other: str) -> str:
    n, weather = facts.number, rng.choice(KINDS["weather"])
    return rng.choice(
        (
            f"{name} has a {facts.colour} {facts.cloth}.",
            f"The {facts.pet} of {name} is {facts.mood}.",
            f"{name} lives near the {facts.place}.",
            f"{name} went to the {facts.place} with the {facts.pet}.",
            f"There was {weather} over the {facts.place}, and {name} took the {facts.tool}.",
            f"{name} likes {facts.food}, but {other} does not want {facts.food}.",
            f"{name} gave {other} {_NUMBERS[n - 1]} of the {n + 3} coins and kept 3.",
            f"Every day {name} wears the {facts.colour} {facts.cloth}.",
            f"{name} uses the {facts.tool} and sings to the {facts.pet}.",
            f"Because of the {weather}, {name} stayed at the {facts.place} and ate {facts.food}.",
            f"{other} asked {name} about the {facts.tool}.",
            f"{name} said that the {facts.food} was {rng.choice((*GOOD, *BAD))}.",
        )
    )
