r"""Multiple choice: the choices of a row become lines of its input, the answer the letter of one of them.

{"question": "2 + 2", "choices": ["3", "4"], "answer": 1}
input   2 + 2\n(A) 3\n(B) 4
output  B
"""

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manyshot.errors import TaskError

if TYPE_CHECKING:
    from manyshot.tasks.task import Example

LETTERS = string.ascii_uppercase
# columns that hold choices in most data sets
USUAL_NAMES = ("choices", "options", "endings")


@dataclass(frozen=True, slots=True)
class Choices:
    """Two to 26 texts of one line each, and what the data set calls them; None is their letters."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None = None

    def render(self, question: str) -> str:
        """Return the question with a line for each choice, lettered by its place."""
        return "\n".join([question, *(f"({letter}) {t}" for letter, t in zip(LETTERS, self.texts, strict=False))])

    def meant(self, answer: Any) -> list[int]:
        """Return the places of all choices that an answer may mean: an index from 0, a letter or label, or a text."""
        if isinstance(answer, bool) or not isinstance(answer, (int, str)):
            return []
        word, places = " ".join(str(answer).split()), range(len(self.texts))
        labelled = {place for place in places if self.labels is not None and self.labels[place] == word}
        if isinstance(answer, int):
            return sorted(labelled | ({answer} & set(places)))
        if labelled:
            return sorted(labelled)
        found = {place for place in places if self.texts[place] == word}
        if self.labels is None:
            found |= {place for place in places if word in (LETTERS[place], str(place))}
        return sorted(found)


def looks_like_choices(value: Any) -> bool:
    """Tell whether a field holds a list of texts, or lists of texts and labels."""
    texts = value.get("text") if isinstance(value, dict) else value
    return isinstance(texts, list) and bool(texts) and all(isinstance(text, str) for text in texts)


def read_choices(place: str, column: str, value: Any) -> Choices:
    """Return the choices of a field: a list of texts, or {"text": [...], "label": [...]}; raises TaskError by `place`."""
    needed = f'it must be a list of 2 to {len(LETTERS)} texts, or {{"text": [...], "label": [...]}}'
    if not looks_like_choices(value):
        raise TaskError(f'{place}: field "{column}" is {_short(value)}; {needed}')
    texts, labels = (value["text"], value.get("label")) if isinstance(value, dict) else (value, None)
    texts = tuple(" ".join(text.split()) for text in texts)
    if not 2 <= len(texts) <= len(LETTERS) or not all(texts):
        raise TaskError(
            f'{place}: field "{column}" holds {len(texts)} texts, {texts.count("")} of them empty; {needed}'
        )
    if labels is None:
        return Choices(texts)
    if not isinstance(labels, list) or len(labels) != len(texts) or len(set(map(str, labels))) < len(labels):
        raise TaskError(f'{place}: field "{column}" has labels {_short(labels)}; give each text one of its own')
    return Choices(texts, tuple(str(label).strip() for label in labels))


def answer_letter(place: str, column: str, answer: Any, choices: Choices) -> str:
    """Return the letter of the choice that an answer means; raises TaskError by `place` unless it means exactly one."""
    found = choices.meant(answer)
    if not found:
        labels = "a letter" if choices.labels is None else f"one of the labels {', '.join(choices.labels)}"
        raise TaskError(
            f'{place}: field "{column}" is {_short(answer)}, which is none of its {len(choices.texts)} choices; '
            f"give an index from 0, {labels}, or the text of a choice"
        )
    if len(found) > 1:
        readings = " or ".join(f"({LETTERS[at]}) {choices.texts[at][:40]}" for at in found)
        raise TaskError(
            f'{place}: field "{column}" is {_short(answer)}, which may mean {readings} by index, label or text; '
            "mend the row so that it means one"
        )
    return LETTERS[found[0]]


def letters_shown(examples: Iterable["Example"]) -> tuple[str, ...]:
    """Return the letters of all choices of rendered examples, also of those that are never right."""
    # choices are the last lines of an input, one each, so the last line begins with the last letter
    last = max(LETTERS.index(example.input.rpartition("\n")[2][1]) for example in examples)
    return tuple(LETTERS[: last + 1])


def unnamed_choices(row: Any, named: Sequence[str]) -> str | None:
    """Return the column of a row that holds choices, by its name and its value, and that nobody named; None without one."""
    for column, value in row.items() if isinstance(row, dict) else ():
        if str(column).lower() in USUAL_NAMES and column not in named and looks_like_choices(value):
            return str(column)
    return None


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
