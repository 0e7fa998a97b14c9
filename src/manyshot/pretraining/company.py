"""Words known by the company they keep: arbitrary companies of things that prose speaks of together and documents sort.

The suite sorts things by kind; no document does. Here a thing also belongs to one company in each of a few rolls, drawn without
regard to kinds, and documents put the companies of a roll under made-up labels. What is learned is to go from the things
shown to others that keep their company; that kinds are sorted the same way is for the suite's tasks to show.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from manyshot.pretraining.documents import Document, Frame, Shown
from manyshot.pretraining.words import Draw, distinct, training_word
from manyshot.pretraining.world import THING_KINDS, THINGS, WORDS, narrow_scene, prose, sentence
from manyshot.seeds import derive

N_ROLLS = 4
N_COMPANIES = 24


@cache
def rolls() -> Sequence[Mapping[str, tuple[str, ...]]]:
    """Return the rolls, each all things by company: made-up name -> things, about 13 of them."""
    found = []
    for n in range(N_ROLLS):
        rng = Random(derive(0, "roll", n))
        things = rng.sample(list(dict.fromkeys(THINGS)), len(set(THINGS)))
        names = distinct(lambda r: training_word(r, 2, 3), rng, N_COMPANIES)
        found.append({name: tuple(things[i::N_COMPANIES]) for i, name in enumerate(names)})
    return found


@cache
def _told_of() -> Sequence[Mapping[str, Sequence[str]]]:
    """Return what prose tells of: kinds as often as all rolls together."""
    kinds = {kind: WORDS[kind] for kind in THING_KINDS}
    return [kinds] * N_ROLLS + list(rolls())


def company_prose(rng: Random, n_sentences: int) -> str:
    """Return prose as `world.prose`, of persons whose things are of one kind or of one company."""
    return prose(rng, n_sentences, rng.choice(_told_of()))


def told_by_company(rng: Random, draw_label: Draw, frame: Frame, n_examples: int) -> Document:
    """Return lines with one or more things of a company, under the company's label; known once the label was shown."""
    roll = rng.choice(rolls())
    companies = rng.sample(list(roll.values()), rng.randint(2, 5))
    labels = distinct(draw_label, rng, len(companies))
    form, n_things = rng.choice(("sentence", "list", "word")), rng.randint(2, 3)
    scene = narrow_scene(rng, "thing")
    examples, seen = [], set()
    for _ in range(n_examples):
        i = rng.randrange(len(companies))
        if form == "sentence":
            line = sentence(rng, "thing", rng.choice(companies[i]), scene)
        else:
            line = " ".join(rng.sample(companies[i], n_things if form == "list" else 1))
        examples.append(Shown(frame.before + line + frame.between, frame.gap + labels[i], i in seen))
        seen.add(i)
    return Document(examples, frame.stop)
