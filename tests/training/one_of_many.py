"""Script for torchrun: a few SGD steps, then rank 0 writes weights, losses and counts.

Usage: one_of_many.py FOLDER CASE,... BATCH; a case is an averaging, or `preserved` for all preservation terms.
"""

import sys
from pathlib import Path

import torch

from manyshot.files import write_json
from manyshot.objectives import ObjectiveOptions
from tests import tiny
from tests.training.small import EXACT, rows, trainer

PRESERVED = {"kl_input": 0.4, "kl_icl": 0.3, "l2_sp": 0.5, "few_shot_aux": True}


def train(folder: Path, averaging: str, batch: int) -> None:
    """Train with `batch` rows a process and step; three steps."""
    fields = {"preservation": PRESERVED} if averaging == "preserved" else {"averaging": averaging}
    data = rows()
    made = trainer(
        tiny.model("llama"),
        folder,
        objective=ObjectiveOptions.model_validate(fields),
        # all general rows of a batch are on one of two processes
        data=[{**data[n], "is_general": n % 4 == 0} for n in range(len(data))],
        more={"eval_dataset": rows(4, seed=5)},
        **{**EXACT, "learning_rate": 0.03},
        max_steps=3,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
    )
    made.train()
    evaluated = made.evaluate()
    if made.args.process_index == 0:
        torch.save(made.accelerator.unwrap_model(made.model).state_dict(), folder / f"{averaging}.pt")
        losses = [line["loss"] for line in made.state.log_history if "loss" in line]
        counts = made.meter.state()
        result = {"world": made.args.world_size, "losses": losses, "counts": counts, "eval": evaluated.get("eval_loss")}
        write_json(folder / f"{averaging}.json", result)


if __name__ == "__main__":
    for name in sys.argv[2].split(","):
        train(Path(sys.argv[1]), name, int(sys.argv[3]))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
