"""Job: one training of a study, the name of its run folder, and how it is trained once however many processes ask for it."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from manyshot import records
from manyshot.recipe import Recipe
from manyshot.run import Run


@dataclass(frozen=True, slots=True)
class Job:
    """One training."""

    method: str
    learning_rate: float
    seed: int
    task: str | None = None
    """For a model of one task, the task's path."""

    @property
    def name(self) -> str:
        """Return the name of its run folder."""
        task = f"-{self.task.replace('/', '_')}" if self.task else ""
        return f"{self.method}-lr{self.learning_rate:g}-seed{self.seed}{task}"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process holds this run folder, then hold it; the system lets go when a process dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(f".{folder.name}.lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(folder: Path) -> bool:
    """Tell whether a process holds this run folder now."""
    place = folder.with_name(f".{folder.name}.lock")
    if not place.is_file():
        return False
    with open(place, "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_trained(folder: Path) -> bool:
    """Tell whether a training is finished: what it consumed is written last, after its model."""
    return (folder / records.EXTRAS).is_file()


def train_once(
    folder: Path, recipe: Callable[[], Recipe], say: Callable[[str], None], *, is_first: bool = True
) -> Path:
    """Train in a run folder unless it is done or another process does it; return the model's folder.

    Of the processes that torchrun started to train together, the first alone holds the folder.
    """
    with alone(folder) if is_first else nullcontext():
        if not is_trained(folder):
            say(f"training {folder.name}")
            Run(recipe(), folder, say).train()
    return folder / records.MODEL
