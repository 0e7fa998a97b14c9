"""The world of the linear-attention experiment: inputs, noise, prompt length, target; wrong values are named errors.

Symbols (arXiv 2602.23197): d, Sigma, s2 (label noise variance), m (shots in training prompts), theta_0 (the task
tuned on). Inner products are taken in Sigma: <t, u> = t' Sigma u, because <t, u> is the covariance of the labels of
tasks t and u.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Hold one world; build it with `make_setting`, which checks it."""

    d: int
    """Input dimension."""
    noise: float
    """s2, the variance of the label noise."""
    m: int
    """Shots in a training prompt."""
    sigma: Float[Tensor, "d d"]
    """Covariance of the inputs, float64."""
    theta_0: Float[Tensor, " d"]
    """The target task, float64."""

    @property
    def dim(self) -> int:
        """Return the token width d + 2: (1, x, y)."""
        return self.d + 2

    @property
    def foreign(self) -> Float[Tensor, " d"]:
        """Return -theta_0, the task furthest from the target."""
        return -self.theta_0


def make_setting(
    d: int = 5,
    *,
    noise: float = 0.1,
    m: int = 20,
    sigma: Tensor | None = None,
    theta_0: Tensor | None = None,
) -> Setting:
    """Return a checked setting; the defaults are the published experiment (Sigma = I, theta_0 of unit norm).

    Raises TheoryError for d < 1, m < 1, a noise that is negative or not finite, a Sigma that is not a symmetric
    positive definite (d, d) matrix, or a theta_0 that is not a finite vector of length d other than zero.
    """
    if d < 1:
        raise TheoryError(f"d is {d}; the input dimension must be at least 1")
    if m < 1:
        raise TheoryError(f"m is {m}; a training prompt needs at least 1 shot")
    if not 0 <= noise < float("inf"):
        raise TheoryError(f"noise is {noise}; the label-noise variance must be finite and at least 0")
    covariance = torch.eye(d, dtype=torch.float64) if sigma is None else sigma.to(torch.float64)
    check_covariance(covariance, d)
    theta = torch.full((d,), d**-0.5, dtype=torch.float64) if theta_0 is None else theta_0.to(torch.float64)
    if tuple(theta.shape) != (d,):
        raise TheoryError(f"theta_0 has shape {tuple(theta.shape)}; the setting needs ({d},)")
    if not bool(torch.isfinite(theta).all()) or not bool(theta.abs().max() > 0):
        raise TheoryError(
            "theta_0 must be finite and other than zero; a task without a direction has nothing to tune on"
        )
    return Setting(d=d, noise=float(noise), m=m, sigma=covariance, theta_0=theta)


def check_covariance(sigma: Tensor, d: int) -> None:
    """Raise TheoryError unless `sigma` is a symmetric positive definite (d, d) matrix."""
    if tuple(sigma.shape) != (d, d):
        raise TheoryError(f"Sigma has shape {tuple(sigma.shape)}; the setting needs ({d}, {d})")
    if not bool(torch.isfinite(sigma).all()):
        raise TheoryError("Sigma holds a value that is not finite")
    if not torch.allclose(sigma, sigma.T, rtol=1e-9, atol=1e-12):
        raise TheoryError("Sigma is not symmetric; a covariance must equal its transpose")
    smallest = float(torch.linalg.eigvalsh(sigma)[0])
    if smallest <= 0:
        raise TheoryError(
            f"Sigma is not positive definite: its smallest eigenvalue is {smallest:.3g}, it must be above 0"
        )


def shot_counts(n: int | Sequence[int] | Tensor) -> Float[Tensor, " shots"]:
    """Return numbers of shots as a float64 vector; raise TheoryError for n < 0 or an n that is not whole."""
    counts = torch.as_tensor(n, dtype=torch.float64).reshape(-1)
    if counts.numel() == 0:
        raise TheoryError("n is empty; give at least one number of shots")
    for value in counts.tolist():
        if not (value >= 0 and value == int(value)):
            raise TheoryError(f"n is {value:g}; a number of shots must be a whole number of at least 0")
    return counts


def inner(setting: Setting, t: Float[Tensor, "*task d"], u: Float[Tensor, "*task d"]) -> Float[Tensor, "*task"]:
    """Return <t, u> = t' Sigma u."""
    t, u = t.to(torch.float64), u.to(torch.float64)
    if t.shape[-1] != setting.d or u.shape[-1] != setting.d:
        raise TheoryError(f"a task vector has length {t.shape[-1]} or {u.shape[-1]}; the setting has d = {setting.d}")
    return ((t @ setting.sigma) * u).sum(-1)
