"""What a model in the making does on the suite's dev tasks that need demonstrations, by shots. It never trains on them."""

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyshot.evaluation import Benchmark, EvaluationOptions
from manyshot.inference import Reader
from manyshot.records import CellLog
from manyshot.tasks.builtin import RULES, builtin_task, list_splits, rule_of

SHOTS = (0, 8, 32)


def dev_curve(
    model: Any, tokenizer: Any, shots: Sequence[int] = SHOTS, draws: int = 1, limit: int = 20
) -> dict[str, dict[int, float]]:
    """Return task -> shots -> score, and under `mean` the mean over tasks."""
    names = [name for name in list_splits()["dev"] if RULES[rule_of(name)].needs_demonstrations]
    options = EvaluationOptions(shots=list(shots), draws=draws, limit=limit)
    with tempfile.TemporaryDirectory() as folder:
        log = CellLog(folder)
        Benchmark([builtin_task(name) for name in names], options, log).run("model", Reader(model, tokenizer))
        found = {
            name: {k: float(np.mean([s.score for s in log.scores if (s.task, s.shots) == (name, k)])) for k in shots}
            for name in names
        }
    return {**found, "mean": {k: float(np.mean([curve[k] for curve in found.values()])) for k in shots}}
