"""What a person sees while training runs, and what the run folder keeps of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import ProgressCallback, Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback

from manyshot.files import append_lines
from manyshot.records import METRICS, TIMINGS

CLOCKED = ("tokens_per_second", "answers_per_second")


def silence(trainer: Trainer) -> None:
    """Take the Trainer's own progress bar and printing off it: lines are said by ProgressLines."""
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)


class ProgressLines(TrainerCallback):
    """Says a line a logging step: loss, loss by shots, speed, time left."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._start: tuple[float, int] | None = None

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock at the first step after a start or a resumption."""
        self._start = self._start or (time.perf_counter(), state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Say one line."""
        if not logs or "loss" not in logs or self._start is None or not state.is_world_process_zero:
            return
        began, first = self._start
        left = (time.perf_counter() - began) / max(1, state.global_step - first) * (state.max_steps - state.global_step)
        shots = "  ".join(
            f"{k.removeprefix('loss_shots_')}: {v:.2f}" for k, v in logs.items() if k.startswith("loss_shots_")
        )
        self.say(
            f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.4f}"
            + (f"  by shots [{shots}]" if shots else "")
            + f"  {logs.get('tokens_per_second', 0):,.0f} tokens/s  {logs.get('answers_per_second', 0):,.1f} answers/s"
            + f"  {int(left) // 60}:{int(left) % 60:02d} left"
        )


class LogFiles(TrainerCallback):
    """Appends each log to metrics.jsonl, and what depends on the clock to timings.jsonl."""

    def __init__(self, folder: Path, stage: str) -> None:
        self.folder, self.stage = folder, stage

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Append one line to each file."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        head = {"stage": self.stage, "step": state.global_step}
        append_lines(self.folder / METRICS, [{**head, **{k: v for k, v in logs.items() if k not in CLOCKED}}])
        append_lines(self.folder / TIMINGS, [{**head, **{k: logs[k] for k in CLOCKED if k in logs}}])
