r"""Documents that can only be told by looking back: keys with labels, recurring phrases. Functions of a generator.

A document is a list of examples, each a prompt and an answer, with the stop text behind every answer. An answer is `known`
when the text before it determines it:

     kalo miru sefa lodi kalo miru                 pairs, adjacent; the second "miru" is known
    kalo -> miru\nsefa -> lodi\nkalo -> miru\n     pairs behind a separator
    bako: kalo\nvel: miru\n ...                    pairs in a frame
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from manyshot.pretraining.words import Draw, distinct, is_free, training_word
from manyshot.pretraining.world import THINGS

# none of them stands in a frame of the built-in suite
SEPARATORS = (":", " =", " :", ",", " ,", " -", " >", " is", " means", ";", "\t", " |", ")", " +", "\n", ".", "")
STOPS = ("\n", "\n", "\n", "\n\n", ";", ".", ",", "\n* * *\n", "\n%\n", " |")
_SIGNS = "=-~>:|/%&@*+<#^!?"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CLOSINGS = {" ": "", " (": ")", " [": "]", " <": ">", ' "': '"'}


@dataclass(frozen=True, slots=True)
class Shown:
    """One prompt with its answer."""

    prompt: str
    answer: str
    known: bool
    """Whether the text before determines the answer."""


@dataclass(frozen=True, slots=True)
class Document:
    """Examples in order; as text, their prompts, answers and stop texts joined."""

    examples: Sequence[Shown]
    stop: str = ""
    is_text: bool = False
    """Prose: every token is a target and the document may be cut."""

    @property
    def text(self) -> str:
        """Return the whole document."""
        return "".join(e.prompt + e.answer + self.stop for e in self.examples)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a key and its label: prompt = before + key + between, answer = gap + label."""

    before: str
    between: str
    gap: str
    stop: str


ADJACENT = Frame(" ", "", " ", "")


def separator(rng: Random) -> str:
    """Return a short separator, now and then one of a few random signs."""
    if rng.random() < 0.5:
        return rng.choice(SEPARATORS)
    while not is_free(signs := "".join(rng.choice(_SIGNS) for _ in range(rng.randint(1, 3)))):
        pass
    return f" {signs}"


def field_name(rng: Random) -> str:
    """Return what a frame calls its key or its label: a made-up word or two, a word of the world, or letters at random."""
    kind = rng.random()
    if kind < 0.5:
        found = training_word(rng, 1, 2)
    elif kind < 0.6:
        found = f"{training_word(rng, 1, 1)} {training_word(rng, 1, 2)}"
    elif kind < 0.8:
        found = rng.choice(THINGS)
    else:
        while not is_free(found := "".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 6)))):
            pass
    return found if rng.random() < 0.4 else found.capitalize()


def plain_frame(rng: Random) -> Frame:
    """Return a frame with a separator of one sign between key and label, a line each."""
    return Frame("", rng.choice(SEPARATORS), " ", "\n")


def separator_frame(rng: Random) -> Frame:
    """Return a frame with a short separator between key and label, which may stand in brackets."""
    opening = rng.choice((" ", " ", " ", *_CLOSINGS))
    return Frame("", separator(rng), opening, _CLOSINGS[opening] + rng.choice(STOPS))


def named_frame(rng: Random) -> Frame:
    """Return a frame that names key and label, on one line or two, as prompt templates do."""
    first, second = field_name(rng), field_name(rng)
    colon = rng.choice((":", ":", ":", " =", " -"))
    joint = rng.choice(("\n", "\n", " ", ", "))
    opening = rng.choice((" ", " ", " ", *_CLOSINGS))
    return Frame(f"{first}{colon} ", f"{joint}{second}{colon}", opening, _CLOSINGS[opening] + rng.choice(STOPS[:8]))


def any_frame(rng: Random) -> Frame:
    """Return a frame of either kind."""
    return separator_frame(rng) if rng.random() < 0.4 else named_frame(rng)


def pairs(
    rng: Random,
    draw: Draw,
    frame: Frame,
    n_examples: int,
    max_keys: int = 8,
    max_labels: int | None = None,
    draw_label: Draw | None = None,
) -> Document:
    """Return keys with labels, each key again and again at random gaps under the same label.

    With `max_labels` several keys share a label, as in classification; else labels are drawn one a key, from words of
    their own where `draw_label` is given.
    """
    n_keys = rng.randint(2, max_keys)
    keys = distinct(draw, rng, n_keys)
    if max_labels is None:
        labels = [(draw_label or draw)(rng) for _ in keys]
    else:
        few = distinct(draw_label or draw, rng, rng.randint(2, max_labels))
        labels = [rng.choice(few) for _ in keys]
    return _listed(rng, [[(key, label)] for key, label in zip(keys, labels, strict=True)], frame, n_examples)


def phrases(rng: Random, draw: Draw, n_examples: int) -> Document:
    """Return a few phrases that recur among other words; behind its first word a phrase seen before is known."""
    known = [distinct(draw, rng, rng.randint(3, 12)) for _ in range(rng.randint(1, 3))]
    examples, seen = [], set()
    for _ in range(n_examples):
        i = rng.randrange(len(known))
        filler = [draw(rng) for _ in range(rng.choice((0, 0, 0, 1, 2, 5)))]
        first, *rest = known[i]
        examples.append(Shown("".join(f" {w}" for w in [*filler, first]), "".join(f" {w}" for w in rest), i in seen))
        seen.add(i)
    return Document(examples)


def periodic(rng: Random, draw: Draw, n_words: int, longest: int | None = None) -> Document:
    """Return one phrase of 3 to `longest` words over and over: from the second time on every word is known."""
    phrase = distinct(draw, rng, rng.randint(3, max(3, min(longest or n_words, n_words // 3))))
    period = len(phrase)
    return Document([Shown("", f" {phrase[i % period]}", i >= period) for i in range(n_words)])


def _listed(rng: Random, entries: Sequence[Sequence[tuple[str, str]]], frame: Frame, n_examples: int) -> Document:
    examples, seen = [], set()
    for _ in range(n_examples):
        i = rng.randrange(len(entries))
        key, label = rng.choice(entries[i])
        examples.append(_shown(frame, key, label, i in seen))
        seen.add(i)
    return Document(examples, frame.stop)


def _shown(frame: Frame, key: str, label: str, known: bool) -> Shown:
    return Shown(frame.before + key + frame.between, frame.gap + label, known)
