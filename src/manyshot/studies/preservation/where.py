"""Where in-context learning went in one tuned model: what the base's projections bring back, and what moved. No training.

restorations         the tuned model with projections of some layers put back to the base's: score each, and see which
                     layers' query, key, value or output tuning has overwritten
weight_changes       |W_tuned - W_base| / |W_base| of each matrix (Frobenius); projection_changes of q, k, v and o by layer
gradient_cosine      cosine between the gradient of a task and that of the same task with shuffled labels: near 1 where a
                     model learns only the format (arXiv 2211.00635)

With A the mean over tasks of score less floor at `shots` demonstrations, what a restoration brings back is

    recovered = (A restored - A tuned) / (A base - A tuned)

1 where it brings all back, 0 where nothing, below 0 where it harms; none where tuning lost nothing.
"""

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from manyshot.episodes import Encoder
from manyshot.errors import ModelError
from manyshot.evaluation import Benchmark, EvaluationOptions
from manyshot.inference import Reader
from manyshot.models import load_model
from manyshot.models.parts import Part, attention_layers, output_axis, projections
from manyshot.objectives import target_nll
from manyshot.records import CellLog
from manyshot.seeds import generator
from manyshot.tasks import Example, Task

LETTERS = "qkvo"
N_GRADIENT_ROWS = 64


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
        "matrix_changes": {name: round(value, 5) for name, value in changes},
        "gradient_cosine": {
            name: round(label_cosine(loaded.model, loaded.tokenizer, own), 4)
            for name, loaded in (("base", before), ("tuned", after))
        },
    }


def restorations(
    tuned: Any, base: Any, letters: Sequence[str] = (*LETTERS, LETTERS)
) -> Generator[tuple[int, str, Any], None, None]:
    """Yield (layer, letters, model): the tuned model with these projections of one layer put back to the base's.

    `letters` names the sets that are put back, by default each alone and all four together; layer -1 comes first of each
    set and puts back every layer. The model is one and the same object, and the tuned model again after the last.
    Raises ModelError where the two models are not of one architecture; an adapter must be merged first.
    """
    _refuse_unlike(tuned, base)
    n_layers = len(attention_layers(tuned))
    for chosen in letters:
        pairs = list(zip(projections(tuned, chosen), projections(base, chosen), strict=True))
        by_layer = [pairs[i * len(pairs) // n_layers : (i + 1) * len(pairs) // n_layers] for i in range(n_layers)]
        for layer in (-1, *range(n_layers)):
            own = pairs if layer < 0 else by_layer[layer]
            kept = [_values(mine) for mine, _ in own]
            for mine, theirs in own:
                _put(mine, _values(theirs))
            try:
                yield layer, chosen, tuned
            finally:
                for (mine, _), values in zip(own, kept, strict=True):
                    _put(mine, values)


def weight_changes(tuned: Any, base: Any) -> dict[str, float]:
    """Return |W_tuned - W_base| / |W_base| of every parameter with two or more axes, by its name."""
    _refuse_unlike(tuned, base)
    before = dict(base.named_parameters())
    with torch.no_grad():
        return {
            name: float((now - before[name]).float().norm() / before[name].float().norm().clamp(min=1e-12))
            for name, now in tuned.named_parameters()
            if now.dim() > 1
        }


def projection_changes(tuned: Any, base: Any) -> dict[str, list[float]]:
    """Return the relative change of the weights of q, k, v and o by layer, in a fused matrix of the part's own rows."""
    _refuse_unlike(tuned, base)
    changes: dict[str, list[float]] = {}
    for letter in LETTERS:
        pairs = zip(projections(tuned, letter), projections(base, letter), strict=True)
        weights = [(_weight(mine), _weight(theirs)) for mine, theirs in pairs]
        changes[letter] = [float((now - then).norm() / then.norm().clamp(min=1e-12)) for now, then in weights]
    return changes


def gradient_cosine(model: Any, loss: Callable[[Any], torch.Tensor], other: Callable[[Any], torch.Tensor]) -> float:
    """Return the cosine between the gradients of two losses of a model, over all parameters that require one."""
    moving = [p for p in model.parameters() if p.requires_grad]
    one, two = (torch.autograd.grad(of(model), moving, allow_unused=True) for of in (loss, other))
    pairs = [(a.double(), b.double()) for a, b in zip(one, two, strict=True) if a is not None and b is not None]
    product = torch.stack([(a * b).sum() for a, b in pairs]).sum()
    norms = [torch.stack([side.square().sum() for side in sides]).sum().sqrt() for sides in zip(*pairs, strict=True)]
    return float(product / (norms[0] * norms[1]).clamp(min=1e-30))


def label_cosine(model: Any, tokenizer: Any, task: Task, seed: int = 0) -> float:
    """Return the cosine between the gradients of a task's answers without shots and of the same answers dealt out anew."""
    losses = [_loss(tokenizer, of) for of in (task, shuffled_labels(task, seed))]
    return gradient_cosine(model, losses[0], losses[1])


def shuffled_labels(task: Task, seed: int) -> Task:
    """Return a task whose training answers are dealt out anew among its inputs."""
    order = generator(seed, "shuffled labels", task.name).permutation(len(task.train))
    dealt = [Example(e.input, task.train[int(i)].output) for e, i in zip(task.train, order, strict=True)]
    return replace(task, train=dealt)


def _refuse_unlike(tuned: Any, base: Any) -> None:
    """Raise ModelError unless the two models have the same parameters."""
    shapes = [{name: p.shape for name, p in model.named_parameters()} for model in (tuned, base)]
    if shapes[0] != shapes[1]:
        raise ModelError(
            "the tuned model and the base do not have the same parameters; give two models of one architecture, and merge "
            "an adapter first (merge_and_unload)"
        )


def _rows(part: Part, parameter: torch.Tensor) -> tuple[int, torch.Tensor]:
    axis = output_axis(part.module) if parameter.dim() > 1 else 0
    rows = torch.arange(parameter.shape[axis]) if part.outputs is None else part.outputs
    return axis, rows.to(parameter.device)


def _weight(part: Part) -> torch.Tensor:
    weight = part.module.weight.detach()
    return weight.index_select(*_rows(part, weight)).float()


def _values(part: Part) -> list[torch.Tensor]:
    return [p.detach().index_select(*_rows(part, p)).clone() for p in part.module.parameters()]


@torch.no_grad()
def _put(part: Part, values: Sequence[torch.Tensor]) -> None:
    for parameter, value in zip(part.module.parameters(), values, strict=True):
        parameter.index_copy_(*_rows(part, parameter), value.to(parameter))


def _loss(tokenizer: Any, task: Task) -> Callable[[Any], torch.Tensor]:
    """Return the mean loss of answers, one example a row, as a function of a model."""
    encoded = Encoder(tokenizer).examples(task, list(task.train)[:N_GRADIENT_ROWS])
    rows = list(zip(encoded.prompts, encoded.answers, strict=True))
    longest = len(encoded.header) + max(len(p) + len(a) for p, a in rows)
    ids, targets = np.zeros((len(rows), longest), np.int64), np.full((len(rows), longest), -100, np.int64)
    for n, (prompt, answer) in enumerate(rows):
        row = np.concatenate([encoded.header, prompt, answer])
        ids[n, : len(row)] = row
        targets[n, len(row) - len(answer) : len(row)] = answer

    aimed = torch.from_numpy(targets)[:, 1:] != -100
    wanted = torch.from_numpy(targets)[:, 1:][aimed]

    def loss(model: Any) -> torch.Tensor:
        # what follows a row's end is read by nothing that counts; the head is needed at targets only
        keep = F.pad(aimed, (0, 1)).to(model.device)
        logits = model(torch.from_numpy(ids).to(model.device), use_cache=False, logits_to_keep=keep).logits
        return target_nll(logits.reshape(len(wanted), -1), wanted.to(model.device)).mean()

    return loss
