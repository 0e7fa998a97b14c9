"""Stress: the same queries and demonstrations made harder. Tasks and orders in, tasks and orders out; no model.

    sorted      demonstrations stand grouped by label (arXiv 2405.00200: banking77 82.4 -> 36.9)
    flipped     every label stands for another one, in demonstrations and targets (arXiv 2305.08298)
    abstract    labels are letters that mean nothing, and there is no instruction (symbol tuning, the same)
    order       the same demonstrations in other orders: a draw is an order
    free        a label is generated like any text, not chosen from the list

A stressed score is recorded under the method `NAME@STRESS`, so that scores.jsonl keeps its fields: whoever reads methods, tasks
and draws reads these too. Its targets are those of the changed task: high `flipped` and `abstract` scores say that the
demonstrations were followed.
"""

import itertools
import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from manyshot.seeds import generator
from manyshot.tasks import Example, Task

Stress = Literal["sorted", "flipped", "abstract", "order", "free"]
STRESSES: tuple[str, ...] = get_args(Stress)
SORTED, FLIPPED, ABSTRACT, ORDER, FREE = STRESSES
_AT = "@"


def stress_name(method: str, stress: str) -> str:
    """Return the name under which a method's stressed scores are recorded."""
    return f"{method}{_AT}{stress}"


def stressed(method: str) -> str | None:
    """Return the stress that a recorded method is under, or None."""
    _, at, stress = method.rpartition(_AT)
    return stress if at and stress in STRESSES else None


def unstressed(method: str) -> str:
    """Return the method that a stressed one is a variant of."""
    return method.rpartition(_AT)[0] if stressed(method) else method


def can_stress(task: Task, stress: str) -> bool:
    """Tell whether the stress says something on this task: all but `order` are about labels, two at least."""
    return stress == ORDER or (task.labels is not None and len(task.labels) > 1)


def stress_task(task: Task, stress: str, seed: int = 0) -> Task:
    """Return the task as a stress shows it: same inputs in the same places, other outputs or none to choose from."""
    if stress == FREE:
        return replace(task, labels=None)
    if stress == FLIPPED:
        return _relabelled(task, _next_labels(task, seed))
    if stress == ABSTRACT:
        relabelled = _relabelled(task, _letters(task, seed))
        # an instruction names the true labels; a number or a text measure means nothing on letters
        metric = task.metric if task.metric in ("accuracy", "macro_f1") else "exact_match"
        return replace(relabelled, instruction="", metric=metric)
    return task


def stress_order(task: Task, demonstrations: Sequence[Example], stress: str, seed: int, draw: int) -> list[Example]:
    """Return the demonstrations in the order that a stress wants.

    `sorted` groups them by label, labels in an order drawn anew for each draw; `order` permutes them, and leaves them as they
    are in draw 0.
    """
    rng = generator(seed, "stress", stress, task.name, draw)
    if stress == SORTED and task.labels is not None:
        places = rng.permutation(len(task.labels)).tolist()
        rank = dict(zip(task.labels, places, strict=True))
        return sorted(demonstrations, key=lambda example: rank[example.output])
    if stress == ORDER and draw > 0:
        return [demonstrations[i] for i in rng.permutation(len(demonstrations)).tolist()]
    return list(demonstrations)


def _relabelled(task: Task, new: dict[str, str]) -> Task:
    train, test = ([Example(e.input, new[e.output]) for e in pool] for pool in (task.train, task.test))
    return replace(task, labels=tuple(new[label] for label in task.labels or ()), train=train, test=test)


def _next_labels(task: Task, seed: int) -> dict[str, str]:
    """Return each label's stand-in: the next one on a circle of all labels in random order, so that none keeps its own."""
    labels = list(task.labels or ())
    circle = [labels[i] for i in generator(seed, "stress", FLIPPED, task.name).permutation(len(labels)).tolist()]
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return {label: following[label] for label in labels}


def _letters(task: Task, seed: int) -> dict[str, str]:
    """Return letters, or pairs and more of them for many labels, in random order; none of the task's own labels among them."""
    labels = list(task.labels or ())
    width = next(w for w in itertools.count(1) if len(string.ascii_uppercase) ** w > 2 * len(labels))
    names = ["".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=width)]
    known = {label.upper() for label in labels}
    names = [name for name in names if name not in known and task.template.stop not in name]
    order = generator(seed, "stress", ABSTRACT, task.name).permutation(len(names)).tolist()
    return {label: names[i] for label, i in zip(labels, order[: len(labels)], strict=True)}
