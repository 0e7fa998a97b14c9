"""Which tasks the trainings of the preservation study read, and where they come from.

TASK               one task's path
diverse            all training tasks
diverse-N          N training tasks, families in turn
diverse-N-one      N training tasks of one family, the largest
"""

import re
from pathlib import Path

from manyshot.seeds import generator
from manyshot.studies.preservation.generated import BUILTIN_AND_RECALL, write_recall_suite
from manyshot.studies.preservation.mmlu import MMLU, write_mmlu_suite
from manyshot.studies.text import BUILTIN
from manyshot.tasks import Suite, open_suite
from manyshot.tasks.builtin import write_suite

DIVERSE = "diverse"
_SWEEP = re.compile(rf"{DIVERSE}-(\d+)(-one)?")


def open_study_suite(name: str, folder: Path) -> Suite:
    """Return a preset's suite: `builtin`, `builtin+recall`, `mmlu:FOLDER` of shared tasks (all written into the study's
    folder), or a path.
    """
    if name == BUILTIN_AND_RECALL:
        return open_suite(write_recall_suite(folder / "tasks"))
    if name == BUILTIN:
        return open_suite(write_suite(folder / "tasks"))
    if name.startswith(f"{MMLU}:"):
        return open_suite(write_mmlu_suite(Path(name.removeprefix(f"{MMLU}:")), folder / "tasks"))
    return open_suite(Path(name))


def sweep_name(n_tasks: int, *, one_family: bool = False) -> str:
    """Return the name of a training on several tasks."""
    return f"{DIVERSE}-{n_tasks}{'-one' if one_family else ''}"


def is_diverse(task: str) -> bool:
    """Tell whether a job's task stands for several."""
    return task == DIVERSE or _SWEEP.fullmatch(task) is not None


def training_paths(suite: Suite, task: str, seed: int) -> list[str]:
    """Return the paths that a job's task stands for; of a sweep, fewer tasks are among more of the same seed."""
    found = _SWEEP.fullmatch(task)
    if found is None:
        return list(suite.select(["train"])) if task == DIVERSE else [task]
    by_family: dict[str, list[str]] = {}
    paths = suite.select(["train"])
    for i in generator(seed, "diversity").permutation(len(paths)):
        by_family.setdefault(suite.load([paths[i]])[0].family, []).append(paths[i])
    families = list(by_family.values())
    if found[2]:
        families = [max(families, key=len)]
    longest = max(map(len, families))
    in_turn = [family[i] for i in range(longest) for family in families if i < len(family)]
    return in_turn[: int(found[1])]
