"""Seconds of a training, those of earlier sessions included: what stands behind a checkpoint is written beside its step."""

from pathlib import Path
from time import perf_counter
from typing import Any

from transformers import TrainerCallback

from manyshot.files import append_lines, read_lines
from manyshot.records import TIMINGS

_ELAPSED = "elapsed_seconds"


class Stopwatch(TrainerCallback):
    """Runs from when it is made. A resumed stage goes on at the seconds of its checkpoint; steps that are done again, because
    they came after it, count once."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.place, self.stage = folder / TIMINGS, stage
        rows = [row for _, row in read_lines(self.place, drop_torn_end=True)] if self.place.is_file() else []
        self._before = max((row[_ELAPSED] for row in rows if row["stage"] == stage and _ELAPSED in row), default=0.0)
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        """Of this session and of those before it."""
        return round(self._before + perf_counter() - self._began, 2)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write what stands behind the checkpoint that was just saved."""
        if state.is_world_process_zero:
            append_lines(self.place, [{"stage": self.stage, "step": state.global_step, _ELAPSED: self.seconds}])
