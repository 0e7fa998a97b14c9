"""Job: one training of a study, and the name of its run folder."""

from dataclasses import dataclass


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
