r"""Documents that can only be told by looking back: keys with labels, recurring phrases, topics. Functions of a generator.

A document is a list of examples, each a prompt and an answer, with the stop text behind every answer. An answer is `known`
when the text before it determines it:

     kalo miru sefa lodi kalo miru                 pairs, adjacent; the second "miru" is known
    kalo -> miru\nsefa -> lodi\nkalo -> miru\n     pairs behind a separator
    bako: kalo\nvel: miru\n ...                    pairs in a frame
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from manyshot.pretraining.words import Draw, distinct, training_word

SEPARATORS = (":", " =", " :", ",", " ,", " -", " >", " is", " =>", ";", "\t", " |", " means", ")", " ->", "\n", ".")
STOPS = ("\n", "\n", "\n", "\n\n", ";", ".", ",", "\n---\n", "\n###\n", " |")


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


def separator_frame(rng: Random) -> Frame:
    """Return a frame with a short separator between key and label."""
    return Frame("", rng.choice(SEPARATORS), rng.choice((" ", " ", " ", "")), rng.choice(STOPS))


def named_frame(rng: Random) -> Frame:
    """Return a frame that names key and label by made-up words, on one line or two, as prompt templates do."""
    first, second = (training_word(rng, 1, 2) for _ in range(2))
    if rng.random() < 0.5:
        first, second = first.capitalize(), second.capitalize()
    colon = rng.choice((":", ":", ":", " =", " -"))
    joint = rng.choice(("\n", "\n", " ", ", "))
    return Frame(f"{first}{colon} ", f"{joint}{second}{colon}", " ", rng.choice(STOPS[:8]))


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
        few = distinct(draw, rng, rng.randint(2, max_labels))
        labels = [rng.choice(few) for _ in keys]
    return _listed(rng, [[(key, label)] for key, label in zip(keys, labels, strict=True)], frame, n_examples)


def topics(
    rng: Random,
    words: Mapping[str, Sequence[str]],
    draw: Draw,
    frame: Frame,
    n_examples: int,
    max_words: int = 1,
    noise: float = 0.0,
) -> Document:
    """Return words of known topics, each topic under its own made-up label: a label is known once its topic was shown.

    With `max_words` a prompt has that many words at most, each with probability `noise` from anywhere.
    """
    chosen = rng.sample(sorted(words), rng.randint(2, min(6, len(words))))
    labels = distinct(draw, rng, len(chosen))
    anywhere = [word for group in words.values() for word in group]
    examples, seen = [], set()
    for _ in range(n_examples):
        i = rng.randrange(len(chosen))
        n = rng.randint(max(1, max_words // 2), max_words)
        own = words[chosen[i]]
        key = " ".join(rng.choice(anywhere) if rng.random() < noise else rng.choice(own) for _ in range(n))
        examples.append(_shown(frame, key, labels[i], i in seen))
        seen.add(i)
    return Document(examples, frame.stop)


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
