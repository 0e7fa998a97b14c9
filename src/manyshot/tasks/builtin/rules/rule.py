"""Rule and Binding: how inputs are drawn and answered, and what one task fixes of that."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from manyshot.tasks.builtin.lexicon import Part, World
from manyshot.tasks.task import Example

_WORD = re.compile(r"[A-Za-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Binding:
    """What a task fixes of its rule, and what demonstrations have to show where the instruction does not say it."""

    kinds: tuple[str, ...] = ()
    """Kinds of things in the rule's order: kind i has label i; of a single choice the first is meant."""
    labels: tuple[str, ...] = ()
    """Label words in the order of the rule's classes."""
    number: int = 0
    """A place, a step, a choice: the rule says of what."""


Draw = Callable[[Random, World, Binding, int], Example]
"""(generator, words, binding, class wanted) -> an example; rules with free answers leave the class alone."""
Solve = Callable[[str, Binding], str]
"""(input text, binding) -> the answer, read off the text alone."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to answer, apart from words, labels and wording."""

    name: str
    family: str
    metric: str
    needs_demonstrations: bool
    """True where instruction and input leave the answer open: labels stand for unknown classes, or a choice is hidden."""
    meaning: str
    """The rule in a sentence, for readers; no prompt contains it."""
    draw: Draw
    solve: Solve
    n_kinds: int = 0
    n_labels: int = 0
    """Classes of the answer, equally frequent; 0 for free answers."""
    numbers: Mapping[Part, tuple[int, ...]] = field(default_factory=dict)
    """Part -> values of Binding.number."""

    @property
    def has_bindings(self) -> bool:
        """Tell whether tasks of this rule can differ in more than words and wording."""
        return bool(self.n_kinds or self.n_labels or self.numbers)


def words_of(text: str) -> list[str]:
    """Return the words and numbers of a text, without punctuation."""
    return _WORD.findall(text)
