"""The small world's words by kind, each word in one part: train, dev or held_out. Function words and digits are shared.

Kinds of things (animal, bird, ...) belong to one part as a whole, so that a held-out task speaks of kinds that no
training task sorts. Roles that every sentence needs (person, place, colour, ...) are split word by word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

Part = Literal["train", "dev", "held_out"]
PARTS: tuple[Part, ...] = get_args(Part)

_THINGS: dict[Part, dict[str, str]] = {
    "train": {
        "animal": "cat dog horse cow sheep goat pig fox wolf bear hare mouse rat lion tiger monkey camel donkey rabbit "
        "squirrel deer otter badger mole frog toad snake lizard turtle zebra giraffe elephant",
        "food": "bread cheese butter egg apple pear plum cherry grape lemon melon peach onion carrot potato cabbage "
        "bean pea rice soup cake pie biscuit honey sugar salt pepper sausage ham noodle pancake tomato",
        "tool": "hammer spade rake axe wrench chisel pliers shovel ladder broom brush needle scissors sickle hoe trowel "
        "clamp screwdriver tongs mallet crowbar anvil plough knife scythe",
        "garment": "coat hat shirt sock shoe boot glove scarf dress skirt belt jacket vest cap apron sweater shawl cloak "
        "sandal slipper robe tie blouse mitten",
        "vehicle": "car bus truck van boat ship ferry tram bicycle wagon cart sled canoe raft taxi tractor scooter lorry "
        "rocket plane",
        "plant": "rose tulip daisy lily oak pine willow maple birch fern ivy moss cactus reed clover nettle thistle "
        "orchid palm elm cedar bamboo poppy",
        "insect": "bee ant wasp moth beetle butterfly cricket flea gnat hornet locust mosquito termite ladybird",
        "vessel": "cup jug bowl bottle basket bucket barrel pot pan jar mug kettle tray vase sack crate box bag tub flask",
    },
    "dev": {
        "fish": "trout salmon cod herring carp pike tuna eel shark perch sardine haddock",
        "furniture": "chair table bench shelf desk bed sofa stool cupboard wardrobe lamp mirror carpet cradle",
        "metal": "iron gold silver copper tin zinc nickel brass steel bronze cobalt chrome",
    },
    "held_out": {
        "instrument": "drum flute harp violin piano guitar trumpet cello banjo organ horn fiddle bugle tuba oboe lute "
        "whistle bell gong clarinet trombone mandolin",
        "toy": "doll kite puppet marble puzzle balloon robot teddy rattle domino hoop seesaw swing jigsaw skittle dice",
        "drink": "tea milk juice coffee cocoa water cider wine beer lemonade syrup soda broth punch",
        "bird": "owl crow robin hen duck goose swan eagle hawk sparrow pigeon parrot heron raven stork gull finch wren "
        "magpie turkey",
        "jewel": "ring crown pearl ruby diamond necklace brooch bracelet opal emerald locket tiara earring pendant amber "
        "sapphire",
    },
}

_ROLES: dict[str, dict[Part, str]] = {
    "person": {
        "train": "Tom Anna Ben Lucy Sam Emma Max Nora Paul Clara Jack Ella Leo Ruth Adam Julia Peter Maria Simon Alice "
        "David Helen Oscar Laura Henry Sophie Martin Rita George Eva Philip Agnes",
        "dev": "Felix Irene Hugo Martha Victor Sarah Dennis Olga Walter Iris",
        "held_out": "Karl Diana Ralph Sonia Boris Edith Gavin Wanda Louis Paula Ivan Greta Frank Nancy Theo Vera "
        "Albert Monica Edgar Zoe",
    },
    "place": {
        "train": "barn kitchen garden school market shop forest field hall church cellar attic office station hotel "
        "castle village harbour library museum bakery stable park cabin courtyard lobby temple parlour pantry shed",
        "dev": "tent cave mill tower prison bank studio gallery",
        "held_out": "garage chapel palace theatre hospital cottage meadow valley desert orchard factory tunnel "
        "nursery bedroom yard inn canteen lounge laundry warehouse",
    },
    "colour": {
        "train": "red blue green yellow black white brown grey",
        "dev": "pink orange beige lilac",
        "held_out": "purple crimson scarlet turquoise indigo maroon",
    },
    "good": {
        "train": "good nice lovely happy glad pretty sweet bright clever gentle pleasant cheerful polite tasty",
        "dev": "merry charming graceful jolly joyful",
        "held_out": "wonderful splendid great friendly delightful superb brave cosy perfect",
    },
    "bad": {
        "train": "bad sad awful ugly dirty angry rude cruel nasty dull broken horrible jealous stupid",
        "dev": "grim sour gloomy lazy vile",
        "held_out": "terrible dreadful unhappy filthy rotten boring harsh hateful wicked",
    },
    "big": {"train": "big tall wide", "dev": "huge giant vast large", "held_out": "enormous broad"},
    "small": {"train": "small thin narrow", "dev": "tiny little short slim", "held_out": "slender compact"},
    "plain": {
        "train": "old new wet dry warm cold soft hard clean heavy smooth round",
        "dev": "light hot damp fresh",
        "held_out": "ancient modern frozen dusty shiny hollow wooden",
    },
    # past tense and participle alike, so that "Tom washed the cup" and "the cup was washed by Tom" are both right
    "deed": {
        "train": "washed painted found bought sold held kept cleaned moved dropped pushed pulled fixed liked wanted",
        "dev": "lifted turned packed lost counted",
        "held_out": "borrowed caught brought touched watched covered fetched stored praised",
    },
}

SHARED = tuple(
    "the a an and is was are were has had in near with by not because who where came before after both neither nor "
    "more less than costs coins got gave for then to took".split()
)
"""Words without a kind, which sentences of every part use."""

WORDS: dict[str, dict[Part, tuple[str, ...]]] = {
    **{kind: {part: tuple(text.split())} for part, kinds in _THINGS.items() for kind, text in kinds.items()},
    **{kind: {part: tuple(text.split()) for part, text in parts.items()} for kind, parts in _ROLES.items()},
}
"""Kind -> part -> words."""

THING_KINDS: dict[Part, tuple[str, ...]] = {part: tuple(kinds) for part, kinds in _THINGS.items()}
"""Part -> the kinds of things its tasks speak of."""

_KIND_OF = {word: kind for kind, parts in WORDS.items() for words in parts.values() for word in words}
_ADJECTIVES = ("good", "bad", "big", "small", "plain")


@dataclass(frozen=True, slots=True)
class World:
    """One part's words, to draw from."""

    part: Part
    words: Mapping[str, tuple[str, ...]]
    """Kind -> words."""
    thing_kinds: tuple[str, ...]
    things: tuple[str, ...]
    adjectives: tuple[str, ...]

    def one(self, rng: Random, kind: str) -> str:
        """Return a word of this kind."""
        return rng.choice(self.words[kind])

    def some(self, rng: Random, kind: str, n: int) -> list[str]:
        """Return n different words of this kind."""
        return rng.sample(self.words[kind], n)

    def thing(self, rng: Random) -> str:
        """Return a thing of any kind."""
        return rng.choice(self.things)

    def some_things(self, rng: Random, n: int) -> list[str]:
        """Return n different things of any kinds."""
        return rng.sample(self.things, n)


def _world(part: Part) -> World:
    words = {kind: parts[part] for kind, parts in WORDS.items() if part in parts}
    things = tuple(word for kind in THING_KINDS[part] for word in words[kind])
    return World(part, words, THING_KINDS[part], things, tuple(w for kind in _ADJECTIVES for w in words[kind]))


WORLDS: dict[Part, World] = {part: _world(part) for part in PARTS}


def kind_of(word: str) -> str:
    """Return the kind of a word of the world; empty for any other word."""
    return _KIND_OF.get(word, "")


def with_article(kind: str) -> str:
    """Return `a tool`, `an animal`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
