"""Generated tasks over a few dozen words: enough to run the whole path anywhere, with answers that a rule gives."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from manyshot.files import write_text
from manyshot.seeds import generator
from manyshot.tasks.folder import save_task
from manyshot.tasks.task import Example, Task

_KINDS = {
    "animal": "cat dog horse cow sheep goat duck hen fox wolf bear hare".split(),
    "tool": "hammer saw spade rake drill axe wrench chisel pliers file clamp trowel".split(),
    "fruit": "apple pear plum cherry grape lemon melon peach fig lime mango kiwi".split(),
    "metal": "iron gold silver copper tin lead zinc nickel brass steel bronze cobalt".split(),
}
_LABELS = {"train": ("blik", "dorn", "fask", "mirp"), "held_out": ("zunt", "koll", "wisp", "yarg")}


def write_suite(folder: str | Path, seed: int = 0, n_train: int = 200, n_test: int = 40) -> Path:
    """Write a suite of word tasks: kinds of words under made-up labels, and the first or last of three words.

    The held-out tasks use other labels and, in the free-text ones, another rule. An existing suite is left as it is.
    """
    root = Path(folder)
    if (root / "suite.json").is_file():
        return root
    splits: dict[str, list[str]] = {"train": [], "held_out": []}
    for split, labels in _LABELS.items():
        for number in range(4 if split == "train" else 2):
            rng = generator(seed, "builtin", split, number)
            names = dict(zip(_KINDS, rng.permutation(labels).tolist(), strict=True))
            task = _task(
                f"kinds_{split}_{number}", "Give the word's group.", _kind_of(names), rng, labels, n_train, n_test
            )
            splits[split].append(save_task(task, root / task.name).name)
    for split, place, name in (("train", 0, "first"), ("train", 2, "last"), ("held_out", 1, "middle")):
        rng = generator(seed, "builtin", name)
        task = _task(f"{name}_word", f"Repeat the {name} word.", _pick(place), rng, None, n_train, n_test)
        splits[split].append(save_task(task, root / task.name).name)
    write_text(root / "suite.json", json.dumps(splits, indent=1) + "\n")
    return root


def _kind_of(names: dict[str, str]) -> Callable[[np.random.Generator], Example]:
    def draw(rng: np.random.Generator) -> Example:
        kind = list(_KINDS)[rng.integers(len(_KINDS))]
        return Example(str(rng.choice(_KINDS[kind])), names[kind])

    return draw


def _pick(place: int) -> Callable[[np.random.Generator], Example]:
    words = [word for kind in _KINDS.values() for word in kind]

    def draw(rng: np.random.Generator) -> Example:
        three = rng.choice(words, 3, replace=False).tolist()
        return Example(" ".join(three), three[place])

    return draw


def _task(
    name: str,
    instruction: str,
    draw: Callable[[np.random.Generator], Example],
    rng: np.random.Generator,
    labels: tuple[str, ...] | None,
    n_train: int,
    n_test: int,
) -> Task:
    examples = [draw(rng) for _ in range(n_train + n_test)]
    return Task(
        name,
        "classification" if labels else "qa",
        instruction,
        "accuracy" if labels else "exact_match",
        labels,
        train=examples[:n_train],
        test=examples[n_train:],
        source="generated",
    )
