"""Suite: many tasks with the parts they play. Opens folders without reading their rows; reads a task when asked for."""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from manyshot.errors import ManyshotError, TaskError, nearest
from manyshot.files import read_json
from manyshot.tasks.folder import is_task_folder, load_task
from manyshot.tasks.task import Task
from manyshot.tasks.template import Chat

# split of a suite -> the name under which its scores are reported
ROLES = {"train": "seen", "dev": "dev", "held_out": "held_out", "near": "near"}
SPLITS = ("train", "dev", "held_out", "near", "general")


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks under one root, by their path from it.

    `splits` names the parts: `train` is trained on, `dev` steers, `held_out` is read once for the report, `near` is
    held out but has a twin in training, `general` is mixed in. Other names are selections of those.
    `share_texts` groups tasks made from the same texts: none may be held out against another. `chat` shows all tasks as
    conversations.
    """

    root: Path
    splits: dict[str, tuple[str, ...]]
    share_texts: tuple[tuple[str, ...], ...] = ()
    chat: Chat | None = None
    _loaded: dict[str, Task] = field(default_factory=dict, repr=False, compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """All task paths, each once, in the order of the splits."""
        return tuple(dict.fromkeys(path for split in self.splits.values() for path in split))

    def select(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Return the paths that split names, exact paths or shell patterns stand for; a leading `!` takes paths out."""
        chosen: dict[str, None] = {}
        for pattern in patterns:
            remove, wanted = pattern.startswith("!"), pattern.removeprefix("!")
            if wanted in self.splits:
                found: Sequence[str] = self.splits[wanted]
            else:
                found = [p for p in self.paths if p == wanted or fnmatch.fnmatchcase(p, wanted)]
            if not found:
                raise TaskError(
                    f'{self.root}: no task, split or pattern "{wanted}"{nearest(wanted, [*self.splits, *self.paths])}; '
                    f"splits here are {', '.join(self.splits)}"
                )
            for path in found:
                if remove:
                    chosen.pop(path, None)
                else:
                    chosen[path] = None
        return tuple(chosen)

    def load(self, paths: Iterable[str]) -> list[Task]:
        """Return the tasks at these paths, each read once; two tasks of one name are an error."""
        paths = list(paths)
        for path in paths:
            if path not in self._loaded:
                self._loaded[path] = load_task(self.root / path, chat=self.chat)
        tasks = [self._loaded[path] for path in paths]
        _refuse_duplicate_names(tasks, [str(self.root / path) for path in paths])
        return tasks

    def text_groups(self) -> list[list[str]]:
        """Return `share_texts` as names of tasks, as the leak check reads them."""
        return [[self.load([path])[0].name for path in group] for group in self.share_texts]

    def role(self, path: str) -> str:
        """Return `seen`, `dev`, `held_out` or `near`; a task of no such split counts as held out."""
        return next((role for split, role in ROLES.items() if path in self.splits.get(split, ())), "held_out")


def open_suite(path: str | Path, *, chat: Chat | None = None) -> Suite:
    """Open a suite: a folder with suite.json, one task folder, or a folder of task folders (all of them to train on).

    `chat` shows its tasks as conversations, through the chat template of whichever model reads them.
    """
    return replace(_open(Path(path)), chat=chat)


def _open(root: Path) -> Suite:
    if root.name == "suite.json":
        root = root.parent
    if (root / "suite.json").is_file():
        return _read_suite(root)
    if is_task_folder(root):
        return Suite(root.parent, {"train": (root.name,)})
    if not root.is_dir():
        raise TaskError(f"{root}: no such folder; give a task folder, a folder of them, or one with suite.json")
    found = sorted(str(f.parent.relative_to(root)) for name in ("task.json", "task.yaml") for f in root.rglob(name))
    if not found:
        raise TaskError(f"{root}: no task folders below it; a task folder holds task.json and train.jsonl")
    return Suite(root, {"train": tuple(dict.fromkeys(found))})


def load_tasks(paths: Iterable[str | Path]) -> list[Task]:
    """Read the tasks of one or more task folders, or of folders of them."""
    tasks: list[Task] = []
    places: list[str] = []
    for path in paths:
        suite = open_suite(path)
        tasks += suite.load(suite.paths)
        places += [str(suite.root / p) for p in suite.paths]
    _refuse_duplicate_names(tasks, places)
    return tasks


def _refuse_duplicate_names(tasks: Sequence[Task], places: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for task, place in zip(tasks, places, strict=True):
        if task.name in first:
            raise TaskError(
                f'{place}: the name "{task.name}" is taken by {first[task.name]}; give each task a name of its own'
            )
        first[task.name] = place


def _read_suite(root: Path) -> Suite:
    place = root / "suite.json"
    try:
        value = read_json(place)
    except ManyshotError as error:
        raise TaskError(str(error)) from None
    if not isinstance(value, dict) or not all(isinstance(paths, list) for paths in value.values()):
        raise TaskError(f"{place}: must be an object of lists of task paths, by split ({', '.join(SPLITS)})")
    groups = _read_groups(place, root, value.pop("share_texts", []))
    splits = {name: tuple(paths) for name, paths in value.items()}
    for name, paths in splits.items():
        for path in paths:
            if not isinstance(path, str) or not is_task_folder(root / path):
                raise TaskError(f'{place}: split "{name}" names {path!r}, which is no task folder under {root}')
    owner: dict[str, str] = {}
    for name in SPLITS:
        for path in splits.get(name, ()):
            if path in owner:
                raise TaskError(f'{place}: "{path}" is in both "{owner[path]}" and "{name}"; a task plays one part')
            owner[path] = name
    return Suite(root, splits, groups)


def _read_groups(place: Path, root: Path, groups: list) -> tuple[tuple[str, ...], ...]:
    """Return the groups of tasks that share texts; a path that is no task would switch its check off in silence."""
    for group in groups:
        if not isinstance(group, list):
            raise TaskError(f"{place}: share_texts holds {group!r}; every group must be a list of task paths")
        for path in group:
            if not isinstance(path, str) or not is_task_folder(root / path):
                raise TaskError(f"{place}: share_texts names {path!r}, which is no task folder under {root}")
    return tuple(tuple(group) for group in groups)
