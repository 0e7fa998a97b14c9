"""Estimate test errors by running the model on drawn prompts: the check that no algebra went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError
from manyshot.theory.data import draw_inputs, draw_tasks, label, torch_generator
from manyshot.theory.model import Merged, predict_prefixes
from manyshot.theory.setting import Setting

if TYPE_CHECKING:
    from jaxtyping import Float

CHUNK_PROMPTS = 10_000
"""Prompts drawn at once: large enough to vectorise, small enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Hold one curve to estimate: a model and its test task, or None for a fresh pre-training task in each prompt."""

    model: Merged
    theta: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Hold mean squared error and its standard error for n = 0, 1, ..., n_max shots."""

    mean: Float[Tensor, " shots"]
    se: Float[Tensor, " shots"]


def estimate_errors(
    setting: Setting, cases: Mapping[str, Case], n_max: int, n_prompts: int, seed: int
) -> dict[str, Estimate]:
    """Estimate the error of each case for n = 0..n_max from the same `n_prompts` prompts.

    One draw of inputs and noise serves every case and every n (the first n demonstrations), so points of one curve are
    correlated with each other but each has the standard error that is stated. Raises TheoryError for n_max < 0.
    """
    if n_max < 0:
        raise TheoryError(f"n is {n_max}; a number of shots must be at least 0")
    if n_prompts < 2:
        raise TheoryError(f"n_prompts is {n_prompts}; a standard error needs at least 2 prompts")
    source = torch_generator(seed, "monte carlo")
    first = {name: torch.zeros(n_max + 1, dtype=torch.float64) for name in cases}
    second = {name: torch.zeros(n_max + 1, dtype=torch.float64) for name in cases}
    done = 0
    while done < n_prompts:
        count = min(CHUNK_PROMPTS, n_prompts - done)
        x, noise = draw_inputs(setting, count, n_max, source)
        fresh = draw_tasks(setting, count, source)
        for name, case in cases.items():
            prompts = label(x, noise, fresh if case.theta is None else case.theta.reshape(1, -1))
            squared = (predict_prefixes(case.model, prompts) - prompts.answer.unsqueeze(-1)).double() ** 2
            first[name] += squared.sum(0)
            second[name] += (squared**2).sum(0)
        done += count
    estimates = {}
    for name in cases:
        mean = first[name] / n_prompts
        variance = (second[name] / n_prompts - mean**2) * n_prompts / (n_prompts - 1)
        estimates[name] = Estimate(mean=mean, se=(variance / n_prompts).sqrt())
    return estimates
