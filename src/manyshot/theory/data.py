"""Draw tasks and prompts: tokens z = (1, x, y), x ~ N(0, Sigma), y = theta.x + eps, and a query token (1, x, 0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError
from manyshot.seeds import derive
from manyshot.theory.setting import Setting

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Prompts:
    """Hold prompts: `context` demonstrations, one `query` token whose label is blanked, and the true label `answer`."""

    context: Float[Tensor, "prompt shot dim"]
    query: Float[Tensor, "prompt dim"]
    answer: Float[Tensor, " prompt"]


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a fresh torch generator for the draw called `names`."""
    return torch.Generator().manual_seed(derive(seed, *names))


def draw_tasks(
    setting: Setting, count: int, source: torch.Generator, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "task d"]:
    """Draw tasks of pre-training: Gaussian, normalised to unit (Euclidean) norm, so uniform on the sphere."""
    theta = torch.randn(count, setting.d, generator=source, dtype=dtype)
    return theta / theta.norm(dim=-1, keepdim=True)


def draw_inputs(
    setting: Setting, count: int, shots: int, source: torch.Generator, dtype: torch.dtype = torch.float32
) -> tuple[Float[Tensor, "prompt token d"], Float[Tensor, "prompt token"]]:
    """Draw inputs and label noise of `count` prompts; token 0 .. shots-1 is the context, the last one the query.

    They know no task yet, so that one draw serves several tasks (target and foreign) with common random numbers.
    """
    if shots < 0:
        raise TheoryError(f"n is {shots}; a number of shots must be at least 0")
    x = torch.randn(count, shots + 1, setting.d, generator=source, dtype=dtype)
    if not torch.equal(setting.sigma, torch.eye(setting.d, dtype=torch.float64)):
        x = x @ torch.linalg.cholesky(setting.sigma).T.to(dtype)
    noise = torch.randn(count, shots + 1, generator=source, dtype=dtype) * setting.noise**0.5
    return x, noise


def label(
    x: Float[Tensor, "prompt token d"], noise: Float[Tensor, "prompt token"], theta: Float[Tensor, "#prompt d"]
) -> Prompts:
    """Label inputs by tasks (one for all prompts, or one a prompt) and set them as tokens."""
    y = (x @ theta.to(x.dtype).unsqueeze(-1)).squeeze(-1) + noise
    tokens = torch.cat([torch.ones_like(y).unsqueeze(-1), x, y.unsqueeze(-1)], dim=-1)
    query = tokens[:, -1].clone()
    query[:, -1] = 0
    return Prompts(context=tokens[:, :-1], query=query, answer=y[:, -1])


def draw_prompts(
    setting: Setting, theta: Float[Tensor, "#prompt d"], count: int, shots: int, source: torch.Generator
) -> Prompts:
    """Draw `count` prompts of `shots` demonstrations of the task(s) theta."""
    x, noise = draw_inputs(setting, count, shots, source)
    return label(x, noise, theta)
