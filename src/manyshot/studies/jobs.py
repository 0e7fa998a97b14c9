"""Job: one training of a study, the name of its run folder, and the lock that keeps two processes from training it at once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


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
