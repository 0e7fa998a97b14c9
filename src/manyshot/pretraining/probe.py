"""Does a model recall labels from its context? Made-up words under made-up labels, neither ever trained on, by shots.

A probe task maps `n_words` words to labels, in equal shares, and nothing but the demonstrations says which. Demonstrations
draw words with repeats at random gaps; every word is asked at every number of shots k, and a larger k extends the
smaller one's prefix. `accuracy` is over all words, `recall` over those among the demonstrations. The floor is
1 / labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import numpy as np

from manyshot.pretraining.words import Draw, distinct, evaluation_word
from manyshot.seeds import derive, generator
from manyshot.tasks import Example, Task, Template

TEMPLATES = {
    "adjacent": Template(header="", prompt="{input}", answer=" {output}"),
    "arrow": Template(header="", prompt="{input} ->", answer=" {output}"),
    "input_output": Template(header="", prompt="Input: {input}\nOutput:", answer=" {output}"),
}
SHOTS = (0, 1, 2, 4, 8, 16, 32)
LABELS = (2, 4, 8)
N_RESAMPLES = 1000


class Primed(Protocol):
    """What a reader gives back: reads demonstrations, answers inputs."""

    def add(self, demonstrations: Sequence[Example]) -> None:
        """Read more demonstrations."""
        ...

    def answer(self, inputs: Sequence[str]) -> Sequence["Output"]:
        """Answer queries."""
        ...


class Output(Protocol):
    """An answer."""

    @property
    def output(self) -> str:
        """The label."""
        ...


class Primes(Protocol):
    """A reader: primes tasks."""

    def prime(self, task: Task) -> Primed:
        """Begin a task."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of the table: means over tasks, with the central 95 % of a bootstrap over tasks."""

    template: str
    n_labels: int
    shots: int
    accuracy: float
    low: float
    high: float
    recall: float
    """Over words that were shown; the floor where none was."""

    @property
    def floor(self) -> float:
        """Chance."""
        return 1 / self.n_labels


def make_probe(
    seed: int,
    number: int,
    template: Template,
    n_labels: int,
    n_words: int = 16,
    shots: int = 32,
    draw: Draw = evaluation_word,
) -> Task:
    """Return probe task `number`: `train` is the demonstrations in order, `test` every word once."""
    rng = Random(derive(seed, "probe", n_labels, number))
    words = distinct(draw, rng, n_words + n_labels)
    words, labels = words[:n_words], tuple(words[n_words:])
    # equal shares, so that no label is a better guess than 1 / labels
    meaning = {word: labels[i % n_labels] for i, word in enumerate(words)}
    examples = {word: Example(word, label) for word, label in meaning.items()}
    shown = [examples[rng.choice(words)] for _ in range(shots)]
    return Task(
        f"probe_{n_labels}_{number}", "recall", "", "accuracy", labels, shown, list(examples.values()), template
    )


def probe(
    reader: Primes,
    *,
    templates: Sequence[str] = tuple(TEMPLATES),
    labels: Sequence[int] = LABELS,
    shots: Sequence[int] = SHOTS,
    n_tasks: int = 30,
    n_words: int = 16,
    seed: int = 0,
    draw: Draw = evaluation_word,
) -> list[Cell]:
    """Return accuracy by template, number of labels and shots."""
    cells = []
    for template in templates:
        for n_labels in labels:
            tasks = [
                make_probe(seed, i, TEMPLATES[template], n_labels, n_words, max(shots), draw) for i in range(n_tasks)
            ]
            results = [_by_shots(reader, task, shots) for task in tasks]
            for at, k in enumerate(shots):
                correct = np.array([hits.mean() for hits, _ in (r[at] for r in results)])
                shown = np.concatenate([hits[seen] for hits, seen in (r[at] for r in results)])
                low, high = _interval(correct, f"{template}{n_labels}{k}")
                recall = float(shown.mean()) if len(shown) else 1 / n_labels
                cells.append(Cell(template, n_labels, k, float(correct.mean()), low, high, recall))
    return cells


def _by_shots(reader: Primes, task: Task, shots: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (correct, shown before) of every word at each number of shots."""
    primed, read, results = reader.prime(task), 0, []
    inputs = [example.input for example in task.test]
    for k in shots:
        primed.add(task.train[read:k])
        read = k
        seen = {example.input for example in task.train[:k]}
        said = primed.answer(inputs)
        hits = np.array([a.output == e.output for a, e in zip(said, task.test, strict=True)], float)
        results.append((hits, np.array([word in seen for word in inputs])))
    return results


def _interval(values: np.ndarray, name: str) -> tuple[float, float]:
    picks = generator(0, "bootstrap", name).integers(0, len(values), (N_RESAMPLES, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def table(cells: Sequence[Cell]) -> str:
    """Return the cells as a Markdown table, a line a template and number of labels, accuracy [95 %] by shots."""
    shots = sorted({cell.shots for cell in cells})
    lines = ["| template | labels | floor | " + " | ".join(f"k={k}" for k in shots) + " | recall of shown words |"]
    lines.append("|" + " --- |" * (len(shots) + 4))
    for template, n_labels in dict.fromkeys((c.template, c.n_labels) for c in cells):
        row = [c for c in cells if (c.template, c.n_labels) == (template, n_labels)]
        numbers = " | ".join(f"{c.accuracy:.2f} [{c.low:.2f}, {c.high:.2f}]" for c in row)
        lines.append(f"| {template} | {n_labels} | {row[0].floor:.2f} | {numbers} | {row[-1].recall:.2f} |")
    return "\n".join(lines)
