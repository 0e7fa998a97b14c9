"""The generated suite: its tasks, their rows on demand, and the folder that `open_suite` reads."""

import re
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Literal

from manyshot.errors import TaskError, nearest
from manyshot.files import read_json, write_json
from manyshot.seeds import derive
from manyshot.tasks.builtin.labels import LABELS
from manyshot.tasks.builtin.lexicon import PARTS, THING_KINDS, WORLDS, Part, with_article
from manyshot.tasks.builtin.rules import RULES, Binding, Rule
from manyshot.tasks.builtin.surfaces import Surface, surfaces_of
from manyshot.tasks.folder import save_task
from manyshot.tasks.task import Example, Task

VERSION = 1
"""Goes up whenever a task or a row changes, so that an old folder is not taken for this suite."""
_NAME = re.compile(rf"(\w+)_({'|'.join(PARTS)})_(\d+)")
# one input in four is kept for tests, of every task and seed
_TEST_SHARE = 4


@dataclass(frozen=True, slots=True)
class BuiltinTask:
    """One task before its rows: a rule, a part's words, a binding, a surface."""

    name: str
    rule: Rule
    part: Part
    binding: Binding
    surface: Surface

    @property
    def instruction(self) -> str:
        """The instruction with this task's labels and kinds."""
        labels = {f"label{i}": label for i, label in enumerate(self.binding.labels)}
        kinds = {f"kind{i}": with_article(kind) for i, kind in enumerate(self.binding.kinds)}
        return self.surface.instruction.format(**labels, **kinds)


def build_tasks(bindings: int = 2) -> list[BuiltinTask]:
    """Return all tasks; each surface of a rule trains `bindings` tasks, if tasks of the rule can differ at all.

    Bindings come in twins that contradict each other under one surface (labels exchanged, another choice), so that a
    model cannot know a training task by its wording and has to read the demonstrations.
    """
    if bindings < 1:
        raise TaskError(f"bindings is {bindings}; a surface needs at least 1")
    tasks = []
    for part in PARTS:
        for rule in RULES.values():
            n = bindings if part == "train" and rule.has_bindings else 1
            for place, surface in enumerate(surfaces_of(rule.name, part)):
                for variant in range(n):
                    binding = bind(rule, part, place, variant)
                    tasks.append(BuiltinTask(f"{rule.name}_{part}_{place * n + variant}", rule, part, binding, surface))
    return tasks


def bind(rule: Rule, part: Part, place: int, variant: int) -> Binding:
    """Return what the variant-th task under the rule's place-th surface fixes; variants 2 j and 2 j + 1 are twins."""
    pair, twin = divmod(variant, 2)
    rng = Random(derive(0, "builtin", "binding", rule.name, part, place, pair))
    kinds = rng.sample(THING_KINDS[part], rule.n_kinds)
    labels = rng.sample(LABELS[part], rule.n_labels)
    numbers = rule.numbers.get(part, (0,))
    number = place + pair
    # a twin changes one thing: with two labels, exchanging them and turning the choice round can cancel out
    if twin and labels:
        labels = [*labels[1:], labels[0]]
    elif twin and kinds:
        kinds = [*kinds[1:], kinds[0]]
    elif twin:
        number += 1
    return Binding(tuple(kinds), tuple(labels), numbers[number % len(numbers)])


def draw_row(task: BuiltinTask, seed: int, split: Literal["train", "test"], i: int) -> Example:
    """Return row i of a split: a pure function of its arguments, so rows have no end and any of them can be had alone.

    An input is a test input or a training input by its own hash, whatever the task and the seed. Classes of labels take
    turns in an order shuffled anew each round, so every label is equally frequent.
    """
    n = task.rule.n_labels
    wanted = _class_order(seed, task.name, split, i // n, n)[i % n] if n else 0
    rng = Random(derive(seed, "builtin", task.name, split, i))
    while True:
        example = task.rule.draw(rng, WORLDS[task.part], task.binding, wanted)
        if (zlib.crc32(example.input.encode()) % _TEST_SHARE == 0) == (split == "test"):
            return example


def make_task(task: BuiltinTask, n_train: int, n_test: int, seed: int = 0) -> Task:
    """Return the task with its first rows, as every other part of the library takes it."""
    rule = task.rule
    return Task(
        name=task.name,
        family=rule.family,
        instruction=task.instruction,
        metric=rule.metric,
        # sorted: their order must not tell which class a label stands for
        labels=tuple(sorted(task.binding.labels)) or None,
        train=[draw_row(task, seed, "train", i) for i in range(n_train)],
        test=[draw_row(task, seed, "test", i) for i in range(n_test)],
        template=task.surface.frame,
        source=f"generated: rule {rule.name}",
        licence="Apache-2.0",
    )


def builtin_task(name: str, n_train: int = 100, n_test: int = 40, seed: int = 0, bindings: int = 2) -> Task:
    """Return one task by its name in `build_tasks(bindings)`.

    Raises TaskError for an unknown name.
    """
    tasks = _by_name(bindings)
    if name not in tasks:
        raise TaskError(f'no generated task is called "{name}"{nearest(name, tasks)}; there are {len(tasks)}')
    return make_task(tasks[name], n_train, n_test, seed)


def rule_of(name: str) -> str:
    """Return the rule of a generated task by the task's name, for reports that group by rule.

    Raises TaskError where the name is none of a generated task.
    """
    found = _NAME.fullmatch(name)
    if found is None or found[1] not in RULES:
        raise TaskError(f'"{name}" is no name of a generated task; those read RULE_PART_NUMBER')
    return found[1]


def list_splits(bindings: int = 2) -> dict[str, list[str]]:
    """Return task names by split, and four selections of held_out.

    `new_rules` are held-out tasks of rules that no training task has, `seen_rules` the others; `held_out_small` has one
    task a rule and `held_out_quick` one of a new rule a family, where time is short.
    """
    splits: dict[str, list[str]] = {part: [] for part in PARTS}
    for task in build_tasks(bindings):
        splits[task.part].append(task.name)
    trained = {rule_of(name) for name in splits["train"]}
    held_out = splits["held_out"]
    new = [name for name in held_out if rule_of(name) not in trained]
    splits["new_rules"] = new
    splits["seen_rules"] = [name for name in held_out if name not in new]
    splits["held_out_small"] = _first_of_each(held_out, rule_of)
    splits["held_out_quick"] = _first_of_each(new, lambda name: RULES[rule_of(name)].family)
    return splits


def _first_of_each(names: Sequence[str], group: Callable[[str], str]) -> list[str]:
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(group(name), name)
    return list(first.values())


def write_suite(folder: str | Path, seed: int = 0, n_train: int = 100, n_test: int = 40, bindings: int = 2) -> Path:
    """Write the suite as task folders with suite.json and return the folder; the same suite there already is left as is.

    Raises TaskError where the folder holds another suite, or this one made with other arguments.
    """
    root = Path(folder)
    made = {"suite": "builtin", "version": VERSION, "seed": seed, "n_train": n_train, "n_test": n_test}
    made["bindings"] = bindings
    if (root / "suite.json").is_file():
        found = read_json(root / "made.json") if (root / "made.json").is_file() else None
        if found != made:
            raise TaskError(
                f"{root}: holds another suite ({found or 'of unknown origin'}, wanted {made}); take another folder"
            )
        return root

    def save(task: BuiltinTask) -> None:
        save_task(make_task(task, n_train, n_test, seed), root / task.name)

    # each file waits for the disk; threads let the waits overlap
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(save, build_tasks(bindings)))
    write_json(root / "made.json", made)
    write_json(root / "suite.json", list_splits(bindings))
    return root


@lru_cache(maxsize=4)
def _by_name(bindings: int) -> dict[str, BuiltinTask]:
    return {task.name: task for task in build_tasks(bindings)}


@lru_cache(maxsize=64)
def _class_order(seed: int, name: str, split: str, turn: int, n: int) -> tuple[int, ...]:
    return tuple(Random(derive(seed, "builtin", name, split, "turn", turn)).sample(range(n), n))
