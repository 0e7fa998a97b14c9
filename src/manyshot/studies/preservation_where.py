"""Where in-context learning went in one tuned model: what the base's projections bring back, and what moved. No training.

With A the mean over tasks of score less floor at `shots` demonstrations, what a restoration brings back is

    recovered = (A restored - A tuned) / (A base - A tuned)

1 where it brings all back, 0 where nothing, below 0 where it harms; none where tuning lost nothing.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from manyshot.episodes import Encoder
from manyshot.evaluation import Benchmark, EvaluationOptions
from manyshot.inference import Reader
from manyshot.models import load_model
from manyshot.records import CellLog
from manyshot.studies.where import gradient_cosine, projection_changes, restorations, shuffled_labels, weight_changes
from manyshot.tasks import Task

N_GRADIENT_ROWS = 64
_MOST_CHANGED = 10


def where_it_lives(
    tuned: Path,
    base: str,
    tasks: Sequence[Task],
    own: Task,
    options: EvaluationOptions,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return what each restoration recovers on `tasks`, how far weights moved, and gradients of the tuned task `own`.

    The models must be of one architecture, without adapters.
    """
    after, before = load_model(str(tuned)), load_model(base)
    most = options.model_copy(update={"shots": [max(options.shots)]})

    def score(model: Any) -> float:
        with tempfile.TemporaryDirectory() as scratch:
            log = CellLog(scratch)
            Benchmark(tasks, most, log).run("model", Reader(model, after.tokenizer))
        return float(np.mean([s.score - s.floor for s in log.scores]))

    at = {"base": round(score(before.model), 4), "tuned": round(score(after.model), 4)}
    lost = at["base"] - at["tuned"]
    restored: dict[str, dict[str, Any]] = {}
    for layer, letters, model in restorations(after.model, before.model):
        value = round(score(model), 4)
        recovered = round((value - at["tuned"]) / lost, 4) if lost > 0 else None
        restored.setdefault(letters, {})["all" if layer < 0 else str(layer)] = {"a": value, "recovered": recovered}
        say(f"the base's {letters} in {'every layer' if layer < 0 else f'layer {layer}'}: {value:.3f} above the floor")
    changes = sorted(weight_changes(after.model, before.model).items(), key=lambda item: -item[1])
    moved = {
        letter: [round(v, 5) for v in values]
        for letter, values in projection_changes(after.model, before.model).items()
    }
    return {
        "tasks": [task.name for task in tasks],
        "shots": most.shots[0],
        **at,
        "restored": restored,
        "projection_changes": moved,
        "most_changed": {name: round(value, 5) for name, value in changes[:_MOST_CHANGED]},
        "gradient_cosine": {
            name: round(label_cosine(loaded.model, loaded.tokenizer, own), 4)
            for name, loaded in (("base", before), ("tuned", after))
        },
    }


def label_cosine(model: Any, tokenizer: Any, task: Task, seed: int = 0) -> float:
    """Return the cosine between the gradients of a task's answers without shots and of the same answers dealt out anew."""
    losses = [_loss(tokenizer, of) for of in (task, shuffled_labels(task, seed))]
    return gradient_cosine(model, losses[0], losses[1])


def _loss(tokenizer: Any, task: Task) -> Callable[[Any], torch.Tensor]:
    """Return the mean loss of answers, one example a row, as a function of a model."""
    encoded = Encoder(tokenizer).examples(task, list(task.train)[:N_GRADIENT_ROWS])
    rows = [(p, a) for p, a in zip(encoded.prompts, encoded.answers, strict=True)]
    longest = len(encoded.header) + max(len(p) + len(a) for p, a in rows)
    ids, targets = np.zeros((len(rows), longest), np.int64), np.full((len(rows), longest), -100, np.int64)
    for n, (prompt, answer) in enumerate(rows):
        row = np.concatenate([encoded.header, prompt, answer])
        ids[n, : len(row)] = row
        targets[n, len(row) - len(answer) : len(row)] = answer

    def loss(model: Any) -> torch.Tensor:
        # what follows a row's end is read by nothing that counts
        logits = model(torch.from_numpy(ids).to(model.device), use_cache=False).logits[:, :-1]
        wanted = torch.from_numpy(targets).to(model.device)[:, 1:]
        return F.cross_entropy(logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=-100)

    return loss
