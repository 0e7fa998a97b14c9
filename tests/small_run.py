"""A recipe that runs in seconds, for tests of whole runs; as a script under torchrun it carries it out.

Usage: small_run.py SUITE FOLDER ROWS_A_PROCESS
"""

import sys
from pathlib import Path
from typing import Any

from manyshot.files import write_json
from manyshot.recipe import Recipe, make_recipe
from manyshot.run import Run
from manyshot.tasks import save_task
from tests import tiny


def make_suite(root: Path) -> Path:
    """Write a suite of one task to train on and one held out."""
    save_task(tiny.word_task("seen", n_train=30, n_test=4), root / "seen")
    save_task(tiny.word_task("held", n_train=30, n_test=4, seed=7), root / "held")
    write_json(root / "suite.json", {"train": ["seen"], "held_out": ["held"]})
    return root


def recipe(suite: Path, rows: int = 1, steps: int = 4, **changes: Any) -> Recipe:
    """A new model of one layer, trained in float32 with plain SGD, so that equal sums give equal weights."""
    args = {
        "max_steps": steps,
        "save_steps": 2,
        "logging_steps": 1,
        "learning_rate": 0.1,
        "optim": "sgd",
        "bf16": False,
    }
    value = {
        "suite": {"path": str(suite), "leaks": "report"},
        "model": {
            "scratch": {
                "vocabulary": 400,
                "config": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 8},
            }
        },
        "data": {"episodes": {"budget_tokens": 128}},
        "training": {"args": {**args, "per_device_train_batch_size": rows, "use_cpu": True}},
        "evaluation": {"shots": [0, 2], "draws": 2, "limit": 3},
        **changes,
    }
    return make_recipe(value)


if __name__ == "__main__":
    import torch.distributed

    place = Path(sys.argv[2])
    lines: list[str] = []
    run = Run(recipe(Path(sys.argv[1]), int(sys.argv[3])), place, lines.append)
    summary = run.execute()
    rank = torch.distributed.get_rank()
    write_json(place.with_name(f"{place.name}-rank{rank}.json"), {"said": lines, "summary": summary})
    torch.distributed.destroy_process_group()
