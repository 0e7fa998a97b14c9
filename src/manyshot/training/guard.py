"""Guard: a probe of in-context learning during training, which ends a training that costs too much of it.

With v_s the probe's value after step s (larger is better), the drop is relative to the start: 1 - v_s / v_0. The probe runs
before the first step, every `every_steps` steps and after the last. When the drop passes `max_drop`, training ends, and the
model goes back to the last probed step whose drop was within the limit: of the models that kept enough, the one that learned
most. (The one with the largest value would nearly always be the untrained one.)

The curve is in guard.jsonl, a line a probe: {"stage", "step", "value", "drop", "within"}.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from manyshot.errors import RecipeError, RunError
from manyshot.files import append_lines, json_line, read_lines, write_text
from manyshot.training.options import GuardOptions
from manyshot.training.reference import evaluating

GUARD = "guard.jsonl"
_WEIGHTS = re.compile(r"guard-step-(\d+)\.safetensors")
Probe = Callable[[Any], float]


class Guard(TrainerCallback):
    """Probes a model in training and ends the training when the probe has dropped too far.

    `folder` gets guard.jsonl, `weights` the moving parameters of the steps that may be gone back to (one or two files).
    `stopped_at` and `kept_step` tell how it went. Raises RunError where there is nothing to guard.
    """

    def __init__(
        self,
        probe: Probe,
        options: GuardOptions,
        folder: Path,
        weights: Path,
        *,
        stage: str = "tune",
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.probe, self.options, self.folder, self.weights = probe, options, folder, weights
        self.stage, self.say = stage, say
        self.start: float | None = None
        self.stopped_at: int | None = None
        self.kept_step: int | None = None
        self._saved_step = 0
        self._probed_step = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Probe the start, or take up the curve of the run that is resumed."""
        if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
            raise RecipeError(
                "training.guard: a model that is sharded over devices cannot be probed; train without fsdp"
            )
        step = self._saved_step = state.global_step
        rows = self._forget_after(step)
        if not rows:
            if step:
                raise RunError(
                    f"{self.folder / GUARD}: the probe of the start is missing, and the run goes on at step {step}; "
                    "delete the stage's checkpoints to train it again"
                )
            self._measure(model, state)
            return
        self.start = rows[0]["value"]
        self._probed_step = rows[-1]["step"]
        if not rows[-1]["within"]:
            self._stop(control, self._probed_step)
        self.kept_step = max((s for s in self._stored() if s <= step), default=None)
        if self.kept_step is None:
            raise RunError(
                f"{self.weights}: the weights that the guard kept are missing; delete the stage's checkpoints to train it again"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Probe when it is time."""
        step = state.global_step
        if self.stopped_at is None and (step % self.options.every_steps == 0 or step >= state.max_steps):
            drop = self._measure(model, state)
            if drop > self.options.max_drop:
                self._stop(control, step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the step that a killed run would go on from."""
        self._saved_step = state.global_step

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Go back to the step that is kept, where training was stopped."""
        if self.stopped_at is None:
            return
        assert self.kept_step is not None
        if _is_distributed():
            # the first process may still be writing
            torch.distributed.barrier()
        kept = load_file(self._file(self.kept_step))
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, value in kept.items():
                parameters[name].copy_(value)
        if state.is_world_process_zero:
            self.say(
                f"guard: stopped at step {self.stopped_at}, where more than {self.options.max_drop:.0%} of the start's "
                f"{self.start:.3f} was lost; the model is that of step {self.kept_step}"
            )

    def _measure(self, model: Any, state: Any) -> float:
        """Probe, write the curve's line, and store the weights where they may be kept; return the drop."""
        step, value = state.global_step, self._value(model, state)
        if self.start is None:
            if not value > 0:
                raise RunError(
                    f"guard: the probe of the model before training is {value:.3f}, so nothing can be lost; choose tasks of "
                    "training.guard.tasks on which the model is above the floor, or leave the guard out"
                )
            self.start = value
        # rounded as the curve has it, so that a resumed run judges alike and a drop at the limit is within it
        drop = round(1 - value / self.start, 6)
        within = drop <= self.options.max_drop
        if state.is_world_process_zero:
            row = {"stage": self.stage, "step": step, "value": round(value, 6), "drop": drop, "within": within}
            if step == self._probed_step:
                self._forget_after(step - 1)
            if within or self.options.keep == "stop":
                self._store(model, step)
            append_lines(self.folder / GUARD, [row])
            self.say(f"guard: step {step}  {value:.3f} of {self.start:.3f} at the start  drop {drop:.1%}")
        if within or self.options.keep == "stop":
            self.kept_step = step
        self._probed_step = step
        return drop

    def _value(self, model: Any, state: Any) -> float:
        values: list[Any] = [None]
        if state.is_world_process_zero:
            with evaluating(model), _same_randomness():
                values = [float(self.probe(model))]
        if _is_distributed():
            # all ranks have to stop at the same step
            torch.distributed.broadcast_object_list(values, src=0)
        return values[0]

    def _stop(self, control: Any, step: int) -> None:
        self.stopped_at = step
        control.should_training_stop = True

    def _file(self, step: int) -> Path:
        return self.weights / f"guard-step-{step}.safetensors"

    def _stored(self) -> list[int]:
        return sorted(int(m[1]) for f in self.weights.glob("guard-step-*") if (m := _WEIGHTS.fullmatch(f.name)))

    def _store(self, model: Any, step: int) -> None:
        """Store the moving parameters, and delete what neither this run nor one resumed from its checkpoint needs."""
        self.weights.mkdir(parents=True, exist_ok=True)
        moving = {n: p.detach().cpu().contiguous() for n, p in model.named_parameters() if p.requires_grad}
        staging = self._file(step).with_suffix(".part")
        save_file(moving, staging)
        os.replace(staging, self._file(step))
        needed = {step, max((s for s in self._stored() if s <= self._saved_step), default=step)}
        for other in self._stored():
            if other not in needed:
                self._file(other).unlink()

    def _forget_after(self, step: int) -> list[dict[str, Any]]:
        """Drop lines of steps that will be done again; return this stage's others."""
        place = self.folder / GUARD
        rows = [row for _, row in read_lines(place, drop_torn_end=True)] if place.is_file() else []
        kept = [row for row in rows if row["stage"] != self.stage or row["step"] <= step]
        if len(kept) < len(rows):
            write_text(place, "".join(map(json_line, kept)))
        return [row for row in kept if row["stage"] == self.stage]


def _is_distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


@contextmanager
def _same_randomness() -> Iterator[None]:
    """Leave the random numbers of training as if nothing had been probed."""
    with torch.random.fork_rng():
        yield
