"""A small training: rows of two tasks, a tiny model, few steps. Shared by the tests here and by their scripts."""

import copy
from pathlib import Path
from typing import Any

import torch

from manyshot.episodes import EpisodeDataset, EpisodeOptions
from manyshot.objectives import ObjectiveOptions
from manyshot.training import EpisodeCollator, ManyShotTrainer, TrainingOptions, make_arguments
from tests import tiny

PLAIN_SGD = {"optim": "sgd", "learning_rate": 0.5, "lr_scheduler_type": "constant", "warmup_steps": 0}
EXACT = {**PLAIN_SGD, "max_grad_norm": 0, "bf16": False, "save_strategy": "no"}


def rows(n_rows: int = 64, budget_tokens: int = 120, seed: int = 0, **options: Any) -> EpisodeDataset:
    """Rows of a labelled and a free-text task; answers have one to several tokens."""
    fields = EpisodeOptions(**{"budget_tokens": budget_tokens, "length": "log_uniform", "min_examples": 2, **options})
    return EpisodeDataset([tiny.word_task(), tiny.copy_task()], tiny.tokenizer(), fields, n_rows=n_rows, seed=seed)


def trainer(
    model: Any,
    folder: str | Path,
    *,
    objective: ObjectiveOptions | None = None,
    data: Any = None,
    callbacks: Any = (),
    kind: type[ManyShotTrainer] = ManyShotTrainer,
    more: dict[str, Any] | None = None,
    **args: Any,
) -> ManyShotTrainer:
    """Return a trainer on the CPU that prints nothing; `args` go into TrainingArguments, `more` into the trainer."""
    arguments = make_arguments(TrainingOptions(args={"use_cpu": True, "logging_steps": 1, **args}), folder, 0)
    made = kind(
        model=model,
        args=arguments,
        objective=objective,
        train_dataset=rows() if data is None else data,
        callbacks=list(callbacks),
        **(more or {}),
    )
    from transformers.trainer_callback import PrinterCallback

    made.remove_callback(PrinterCallback)
    return made


def batch_loss(model: Any, batch_rows: list[dict[str, Any]], objective: ObjectiveOptions, folder: Path) -> torch.Tensor:
    """Return what the trainer minimises on one batch."""
    batch = EpisodeCollator(objective)(batch_rows)
    return trainer(model, folder, objective=objective, **EXACT).compute_loss(model, batch)


def gradients(
    model: Any, batch_rows: list[dict[str, Any]], objective: ObjectiveOptions, folder: Path, **args: Any
) -> dict[str, torch.Tensor]:
    """Return the change that one SGD step of size 1 makes, sign turned: the gradient as the optimiser gets it."""
    model = copy.deepcopy(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    settings = {**EXACT, "learning_rate": 1.0, "max_steps": 1, **args}
    trainer(model, folder, objective=objective, data=batch_rows, **settings).train()
    return {name: before[name] - p.detach() for name, p in model.named_parameters()}


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Return a copy of a model's parameters by name."""
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Every tensor bit for bit the same."""
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert not different, different


def assert_close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], within: float = 1e-6) -> None:
    """Every tensor the same up to rounding."""
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=within, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


def with_dropout(architecture: str) -> Any:
    """A tiny model that draws random numbers in training: gpt2 has dropout 0.1 anyway, llama gets it in attention."""
    model = tiny.model(architecture)
    if architecture == "llama":
        for module in model.modules():
            if hasattr(module, "attention_dropout"):
                module.attention_dropout = 0.1
    return model
