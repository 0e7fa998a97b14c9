"""Batches of descent and their losses, for a stack of seeds and models at once.

A prompt enters a loss through its second moments S = (1/N) sum_j z_j z_j' alone, since f = z_q' Q S v: one matrix a prompt
serves every model of the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.data import draw_inputs, draw_tasks
from manyshot.theory.model import Merged
from manyshot.theory.setting import Setting

if TYPE_CHECKING:
    from jaxtyping import Float

Batch = tuple[Tensor, Tensor, Tensor]
"""Second moments (seed, prompt, dim, dim), query tokens (seed, prompt, dim), true labels (seed, prompt)."""


def fresh_batch(setting: Setting, seeds: int, batch: int, source: torch.Generator) -> Batch:
    """Draw `batch` prompts of m shots a seed, each with its own task."""
    theta = draw_tasks(setting, seeds * batch, source)
    tokens = _tokens(*draw_inputs(setting, seeds * batch, setting.m, source), theta)
    return second_moments(tokens.reshape(seeds, batch, setting.m + 1, setting.dim))


def tuning_set(
    setting: Setting, theta_0: Float[Tensor, "seed d"], size: int, source: torch.Generator
) -> Float[Tensor, "seed point dim"]:
    """Draw each seed's fixed set of `size` labelled points of its target task."""
    return _tokens(*draw_inputs(setting, len(theta_0), size - 1, source), theta_0)


def pick_batch(points: Float[Tensor, "seed point dim"], batch: int, tokens: int, source: torch.Generator) -> Batch:
    """Draw `batch` prompts of `tokens` points (the last is the query) from each seed's tuning set, with replacement."""
    seeds, size, dim = points.shape
    index = torch.randint(size, (seeds, batch * tokens), generator=source)
    index += torch.arange(seeds).unsqueeze(-1) * size
    chosen = points.reshape(-1, dim).index_select(0, index.reshape(-1))
    return second_moments(chosen.reshape(seeds, batch, tokens, dim))


def second_moments(z: Float[Tensor, "seed prompt token dim"]) -> Batch:
    """Blank the label of each prompt's last token (in place) and return the batch."""
    seeds, batch, tokens, dim = z.shape
    answer = z[:, :, -1, -1].clone()
    z[:, :, -1, -1] = 0
    flat = z.reshape(seeds * batch, tokens, dim)
    moments = torch.bmm(flat.mT, flat).reshape(seeds, batch, dim, dim) / tokens
    return moments, z[:, :, -1], answer


def prompt_loss(
    model: Merged,
    moments: Float[Tensor, "seed prompt dim dim"],
    query: Float[Tensor, "seed prompt dim"],
    answer: Float[Tensor, "seed prompt"],
) -> Float[Tensor, "seed model"]:
    """Return each model's mean squared error on prompts; Q is (seed, model, dim, dim)."""
    seeds, batch, dim = query.shape
    n_models = model.value.shape[1]
    stacked = model.query_key.permute(0, 2, 1, 3).reshape(seeds, dim, n_models * dim)
    reach = (query @ stacked).reshape(seeds, batch, n_models, dim)
    read = (moments.reshape(seeds, batch * dim, dim) @ model.value.mT).reshape(seeds, batch, dim, n_models)
    prediction = (reach * read.mT).sum(-1)  # (seed, prompt, model)
    return ((prediction - answer.unsqueeze(-1)) ** 2).mean(1)


def zero_shot_loss(
    model: Merged, query: Float[Tensor, "seed prompt dim"], answer: Float[Tensor, "seed prompt"]
) -> Float[Tensor, "seed model"]:
    """Return each model's mean squared error on lone query tokens, f = (z_q' Q z_q)(v.z_q)."""
    seeds, batch, dim = query.shape
    outer = (query.unsqueeze(-1) * query.unsqueeze(-2)).reshape(seeds, batch, dim * dim)
    score = outer @ model.query_key.reshape(seeds, -1, dim * dim).mT
    prediction = score * (query @ model.value.mT)  # (seed, prompt, model)
    return ((prediction - answer.unsqueeze(-1)) ** 2).mean(1)


def _tokens(
    x: Float[Tensor, "prompt token d"], noise: Float[Tensor, "prompt token"], theta: Float[Tensor, "prompt d"]
) -> Float[Tensor, "prompt token dim"]:
    y = (x @ theta.unsqueeze(-1)) + noise.unsqueeze(-1)
    return torch.cat([torch.ones_like(y), x, y], dim=-1)
