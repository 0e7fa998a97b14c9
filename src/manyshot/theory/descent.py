"""The SGD experiment: pre-train on many tasks, tune on one, all seeds and methods side by side as stacked matrices.

A method is a pair of moving parameters {all, KQ, Q, K, V} and a loss:
    ZS        zero-shot loss on theta_0
    ZS+FS     ZS + w_t FS,  FS = m-shot loss on theta_0,       w_t = (T-1-t)/(T-1)      (the paper's auxiliary)
    ZS+MT     ZS + w_t MT,  MT = m-shot loss over fresh tasks, the same w_t              (ours)
    ZS+FS/1, ZS+MT/1        the same two with w_t = 1 throughout, so that the auxiliary never fades
Merged methods (all, KQ, V) train Q = W_q with W_k = I held; Q and K alone train one factor of the balanced split of the
pre-trained Q (model.split_balanced). Settings follow the published code: SGD, momentum .9, lr .01, gradient norm
clipped at 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError
from manyshot.theory.batches import Batch, fresh_batch, pick_batch, prompt_loss, tuning_set, zero_shot_loss
from manyshot.theory.data import draw_tasks, torch_generator
from manyshot.theory.model import Merged, Separate, merge, split_balanced
from manyshot.theory.setting import Setting

if TYPE_CHECKING:
    from jaxtyping import Float

PARTS = ("all", "KQ", "Q", "K", "V")
LOSSES = ("ZS", "ZS+FS", "ZS+MT", "ZS+FS/1", "ZS+MT/1")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class DescentPlan:
    """Hold the settings of the experiment; the defaults are the published ones but for the batch."""

    pretraining_steps: int = 5000
    tuning_steps: int = 5000
    batch_prompts: int = 1000
    """Prompts in a batch (5000 in the published code)."""
    tuning_points: int = 100_000
    """Labelled points of theta_0 in the tuning set."""
    n_seeds: int = 5
    learning_rate: float = 0.01
    momentum: float = 0.9
    clip_norm: float = 1.0
    init_std: float = 0.05
    average_last: float = 0.1
    """Share of the last tuning steps whose weights are averaged, besides the last step's; see DescentResult."""
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DescentResult:
    """Hold the models of every method and seed, and each seed's target task.

    Models go by method, `pretrained` or such as `V ZS+FS`; their leading axis is the seed.
    """

    theta_0: Float[Tensor, "seed d"]
    last: dict[str, Merged]
    """Weights of the last step, as in the published code."""
    averaged: dict[str, Merged]
    """The same with weights averaged over the last steps: what descent circles around."""


def run_descent(
    setting: Setting, plan: DescentPlan, progress: Progress = lambda stage, step, steps: None
) -> DescentResult:
    """Run pre-training and all tunings; every seed draws its own initial weights, data and target task.

    Raises TheoryError for step counts, a batch or a number of seeds below 1, and for losses that are no longer finite.
    """
    for name in ("pretraining_steps", "tuning_steps", "batch_prompts", "tuning_points", "n_seeds"):
        if getattr(plan, name) < 1:
            raise TheoryError(f"{name} is {getattr(plan, name)}; it must be at least 1")
    source = torch_generator(plan.seed, "descent")
    theta_0 = draw_tasks(setting, plan.n_seeds, source)
    pretrained = _pretrain(setting, plan, source, progress)
    _check_finite("pre-training", pretrained, plan)
    tuned = _tune(setting, plan, pretrained[0], theta_0, source, progress)
    _check_finite("tuning", tuned, plan)
    methods = [f"{part} {loss}" for loss in LOSSES for part in PARTS]
    last, averaged = (
        {"pretrained": _column(start, 0)} | {name: _column(stack, i) for i, name in enumerate(methods)}
        for start, stack in zip(pretrained, tuned, strict=True)
    )
    return DescentResult(theta_0=theta_0.double(), last=last, averaged=averaged)


def _check_finite(stage: str, models: tuple[Merged, ...], plan: DescentPlan) -> None:
    for model in models:
        if not bool(torch.isfinite(model.query_key).all() and torch.isfinite(model.value).all()):
            raise TheoryError(f"{stage} diverged at learning rate {plan.learning_rate}; use a smaller one")


def _column(stack: Merged, index: int) -> Merged:
    return Merged(stack.query_key[:, index].double(), stack.value[:, index].double())


def for_target(setting: Setting, theta_0: Float[Tensor, " d"]) -> Setting:
    """Return the setting with another target task: the one a seed was tuned on."""
    return replace(setting, theta_0=theta_0.double())


def n_averaged(plan: DescentPlan, steps: int) -> int:
    """Return the number of last steps whose weights are averaged; at least one."""
    return max(1, round(plan.average_last * steps))


def _pretrain(
    setting: Setting, plan: DescentPlan, source: torch.Generator, progress: Progress
) -> tuple[Merged, Merged]:
    """Pre-train one model a seed; return the last models and the averaged ones. Tuning starts from the last."""
    dim, seeds = setting.dim, plan.n_seeds
    query = torch.randn(seeds, 1, dim, dim, generator=source) * plan.init_std
    value = torch.randn(seeds, 1, dim, generator=source) * plan.init_std
    model = Separate(query=query, key=torch.eye(dim).expand(seeds, 1, dim, dim).clone(), value=value)
    trainer = StackedDescent(plan, model, {"query": torch.ones(1), "value": torch.ones(1)})
    for step in range(plan.pretraining_steps):
        batch = fresh_batch(setting, seeds, plan.batch_prompts, source)
        trainer.step(prompt_loss(merge(trainer.model), *batch).sum())
        if step >= plan.pretraining_steps - n_averaged(plan, plan.pretraining_steps):
            trainer.remember()
        progress("pre-training", step + 1, plan.pretraining_steps)
    return trainer.result, trainer.average


def _tune(
    setting: Setting,
    plan: DescentPlan,
    pretrained: Merged,
    theta_0: Tensor,
    source: torch.Generator,
    progress: Progress,
) -> tuple[Merged, Merged]:
    """Tune all methods of all seeds at once; return the last models and the averaged ones."""
    n_parts, n_losses, seeds, batch = len(PARTS), len(LOSSES), plan.n_seeds, plan.batch_prompts
    one = _starting_points(pretrained)
    model = Separate(
        query=one.query.repeat(1, n_losses, 1, 1),
        key=one.key.repeat(1, n_losses, 1, 1),
        value=one.value.repeat(1, n_losses, 1),
    )
    moving = {
        "query": torch.tensor([p in ("all", "KQ", "Q") for p in PARTS]).float().repeat(n_losses),
        "key": torch.tensor([p == "K" for p in PARTS]).float().repeat(n_losses),
        "value": torch.tensor([p in ("all", "V") for p in PARTS]).float().repeat(n_losses),
    }
    trainer = StackedDescent(plan, model, moving)
    points = tuning_set(setting, theta_0, plan.tuning_points, source)
    target = torch.tensor([["FS" in loss] for loss in LOSSES]).float().repeat(1, n_parts).reshape(-1)
    many = torch.tensor([["MT" in loss] for loss in LOSSES]).float().repeat(1, n_parts).reshape(-1)
    held = torch.tensor([[loss.endswith("/1")] for loss in LOSSES]).float().repeat(1, n_parts).reshape(-1)
    for step in range(plan.tuning_steps):
        fade = (plan.tuning_steps - 1 - step) / max(plan.tuning_steps - 1, 1)
        weight = held + (1 - held) * fade
        merged = merge(trainer.model)
        _, query_token, answer = pick_batch(points, batch, 1, source)
        loss = zero_shot_loss(merged, query_token, answer).sum()
        loss = loss + _auxiliary(merged, target, weight, pick_batch(points, batch, setting.m + 1, source))
        loss = loss + _auxiliary(merged, many, weight, fresh_batch(setting, seeds, batch, source))
        trainer.step(loss)
        if step >= plan.tuning_steps - n_averaged(plan, plan.tuning_steps):
            trainer.remember()
        progress("tuning", step + 1, plan.tuning_steps)
    return trainer.result, trainer.average


def _starting_points(pretrained: Merged) -> Separate:
    """Stack the start of each set of moving parameters; all five predict the same."""
    split = split_balanced(Merged(pretrained.query_key[:, 0], pretrained.value[:, 0]))
    whole, eye = (
        pretrained.query_key[:, 0],
        torch.eye(pretrained.query_key.shape[-1]).expand_as(pretrained.query_key[:, 0]),
    )
    factored = [part in ("Q", "K") for part in PARTS]
    return Separate(
        query=torch.stack([split.query if f else whole for f in factored], dim=1),
        key=torch.stack([split.key if f else eye for f in factored], dim=1),
        value=pretrained.value.expand(-1, len(PARTS), -1),
    )


def _auxiliary(merged: Merged, chosen: Tensor, weight: Tensor, batch: Batch) -> Tensor:
    """Return the weighted few-shot loss summed over the chosen models; the others are not computed."""
    index = chosen.nonzero()[:, 0]
    part = Merged(merged.query_key[:, index], merged.value[:, index])
    return (prompt_loss(part, *batch) * weight[index]).sum()


class StackedDescent:
    """Step every model of a stack at once; the gradient norm is clipped model by model, as if each trained alone."""

    def __init__(self, plan: DescentPlan, model: Separate, moving: dict[str, Tensor]):
        self.plan = plan
        self.weights = {
            name: getattr(model, name).contiguous().clone().requires_grad_(name in moving)
            for name in ("query", "key", "value")
        }
        self.moving = {
            name: mask.reshape(1, -1, *[1] * (self.weights[name].dim() - 2)) for name, mask in moving.items()
        }
        self.speed = {name: torch.zeros_like(self.weights[name]) for name in moving}
        self.total = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.n_remembered = 0

    @property
    def model(self) -> Separate:
        """Return the weights that the next loss must be taken at."""
        return Separate(**self.weights)

    @property
    def result(self) -> Merged:
        """Return the present models, merged and without their graph."""
        return merge(Separate(**{name: weight.detach() for name, weight in self.weights.items()}))

    @property
    def average(self) -> Merged:
        """Return the models whose factors are the means over the remembered steps."""
        return merge(Separate(**{name: total / self.n_remembered for name, total in self.total.items()}))

    def remember(self) -> None:
        """Count the present weights into the average."""
        self.n_remembered += 1
        for name, weight in self.weights.items():
            self.total[name] += weight.detach()

    def step(self, loss: Tensor) -> None:
        """Take one SGD step on a loss that is summed over models, so that each gets its own gradient."""
        names = list(self.moving)
        found = torch.autograd.grad(loss, [self.weights[name] for name in names])
        with torch.no_grad():
            gradients = {name: gradient * self.moving[name] for name, gradient in zip(names, found, strict=True)}
            norm = sum((g**2).flatten(2).sum(-1) for g in gradients.values())
            shrink = (self.plan.clip_norm / (torch.as_tensor(norm).sqrt() + 1e-6)).clamp(max=1.0)
            for name, gradient in gradients.items():
                scaled = gradient * shrink.reshape(*shrink.shape, *[1] * (gradient.dim() - 2))
                self.speed[name].mul_(self.plan.momentum).add_(scaled)
                self.weights[name].sub_(self.speed[name], alpha=self.plan.learning_rate)
