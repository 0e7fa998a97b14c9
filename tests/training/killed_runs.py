"""Script: start each training of CASES in a child process that SIGKILLs itself. Usage: killed_runs.py FOLDER"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

import manyshot.training.trainer as trainer_module
from tests.training.small import rows, trainer, with_dropout

STEPS, SAVE_EVERY, KILL_AFTER, KILL_IN_SAVE = 7, 2, 5, 4
# name -> architecture, bf16, whether the kill comes inside a save
CASES = {
    "llama-fp32-step": ("llama", False, False),
    "llama-bf16-step": ("llama", True, False),
    "gpt2-fp32-step": ("gpt2", False, False),
    "gpt2-bf16-step": ("gpt2", True, False),
    "gpt2-fp32-save": ("gpt2", False, True),
    "llama-bf16-save": ("llama", True, True),
}


def made_trainer(case: str, folder: Path, callbacks: Any = (), **more: Any) -> Any:
    """Return the trainer of a case; dropout, AdamW, a schedule, accumulation: all that a checkpoint has to bring back."""
    architecture, bf16, _ = CASES[case]
    settings = {
        "bf16": bf16,
        "max_steps": STEPS,
        "save_steps": SAVE_EVERY,
        "save_total_limit": 10,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
    }
    data = rows(STEPS * 4, budget_tokens=80)
    return trainer(with_dropout(architecture), folder, data=data, callbacks=callbacks, **{**settings, **more})


class KillAtStepEnd(TrainerCallback):
    """Dies as the kernel's memory killer would make it die."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Kill this process."""
        if state.global_step == KILL_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)


def _seal_or_die(seal: Any) -> Any:
    def dying(staging: Path, final: Path, step: int) -> None:
        if step == KILL_IN_SAVE:
            os.kill(os.getpid(), signal.SIGKILL)
        seal(staging, final, step)

    return dying


def main(folder: Path) -> None:
    """Run every case until it is killed."""
    for case, (_, _, in_save) in CASES.items():
        child = os.fork()
        if child == 0:
            if in_save:
                trainer_module.seal = _seal_or_die(trainer_module.seal)
            made_trainer(case, folder / case, [] if in_save else [KillAtStepEnd()]).train()
            os._exit(0)  # not killed: the parent says so
        _, status = os.waitpid(child, 0)
        print(case, os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
