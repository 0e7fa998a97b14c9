"""Ours: tune on ZS(theta_0) + lambda MT, where MT is the m-shot loss averaged over many tasks. Does it escape the trade-off?

MT replaces the paper's FS (the m-shot loss on theta_0 alone); tasks are uniform on the unit sphere. Four results, Sigma = I:
1. Value only. Err_V is linear in <theta, theta_0>, which averages to 0, so MT picks w = a*, the pre-trained weight and the exact
   midpoint of w*(theta_0) and w*(-theta_0). Fair, not free: both tasks pay `weight_regret` (minimax over w).
2. In the joined family the mean over all tasks is the mean of theta_0 and -theta_0 (same reason).
3. One head, all parameters. v_x carries the target and v_y the prompt through one score z_q'Q z_j, so Q_00 v_x = theta_0 (needed
   without shots) and Q_xx v_y = a I (needed with them) force k = Q_00 v_y (noise k ybar) and r = Q_xx v_x (a bias). With
   k r = a^2 p, p = 1 - (d+2) r, the price is 2(d+2) r^2 + lambda (r^2 + k^2 (1+s2)/m): it fades, but only as m^(-1/2).
4. Two heads need no such product: zero-shot is exact and the prompt costs (1/(n+1))||theta_0||^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError
from manyshot.theory.closed_forms import Shots, error_pretrained
from manyshot.theory.model import Merged
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import Setting, inner, shot_counts

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Hold the minimiser of ZS(theta_0) + lambda auxiliary, and its two parts."""

    model: Merged
    zero_shot: float
    """Zero-shot error on theta_0."""
    few_shot: float
    """m-shot error averaged over the sphere of tasks, whatever the auxiliary was."""
    gradient: float
    """Largest entry of the gradient that is left."""


def many_task_weight(setting: Setting, n: Shots) -> Float[Tensor, " shots"]:
    """Return the w that the n-shot loss over many tasks picks when only the value row moves.

    w_MT = (n+1) T / ((n+1+d) T + d s2),  T = E||theta||^2 = tr Sigma / d: the numerator and denominator of W, each averaged.
    It is a*, the best pre-training scale, so value-only tuning with MT leaves the prompt's weight where pre-training put it.
    """
    shots, d = shot_counts(n), setting.d
    mean = float(setting.sigma.trace()) / d
    return (shots + 1) * mean / ((shots + 1 + d) * mean + d * setting.noise)


def weight_regret(setting: Setting, n: Shots) -> Float[Tensor, " shots"]:
    """Return what both theta_0 and -theta_0 pay at w_MT above their own best w (value only, Sigma = I, unit norm).

    n (n+1+d+d s2)/(n+1)^2 * b^2,  b = (n+3+2d) / ((d+4)(n+1+d+d s2)); limit 1/(d+4)^2: more shots do not remove it.
    """
    shots, d = shot_counts(n), setting.d
    room = shots + 1 + d + d * setting.noise
    half = (shots + 3 + 2 * d) / ((d + 4) * room)
    return shots * room / (shots + 1) ** 2 * half**2


def error_two_heads(
    setting: Setting, n: Shots, theta: Float[Tensor, "*task d"], a: float, gain: float = 1.0
) -> Float[Tensor, "*task shots"]:
    """Return the error of two heads: one with Q_00 v_x = gain theta_0, one with Q_xx v_y = a Sigma^-1.

    Err_2 = Err_P + [g^2 ||theta_0||^2 - 2 g <theta_0, theta> (1 - a n/(n+1))] / (n+1). With g = 1 and no shots the error on
    theta_0 is s2; averaged over tasks the prompt costs ||theta_0||^2/(n+1), which fades as fast as sampling error itself.
    """
    shots = shot_counts(n)
    cross = inner(setting, theta, setting.theta_0).unsqueeze(-1)
    extra = gain**2 * inner(setting, setting.theta_0, setting.theta_0) - 2 * gain * cross * (1 - a * shots / (shots + 1))
    return error_pretrained(setting, n, theta, a) + extra / (shots + 1)


def two_head_models(setting: Setting, a: float, gain: float = 1.0) -> tuple[Merged, Merged]:
    """Return the two heads of `error_two_heads`; their predictions add."""
    first = Merged(torch.zeros(setting.dim, setting.dim).double(), torch.zeros(setting.dim).double())
    second = Merged(first.query_key.clone(), first.value.clone())
    first.query_key[0, 0] = 1
    first.value[1:-1] = gain * setting.theta_0
    second.query_key[1:-1, 1:-1] = a * torch.linalg.inv(setting.sigma)
    second.value[-1] = 1
    return first, second


def one_head_price(setting: Setting, m: int, weight: float) -> float:
    """Return the least price above the floors (1 + lambda) s2 of one head in the joined family, for large m and Sigma = I.

    min over 0 < r <= 1/(d+2) of  2(d+2) r^2 + lambda [ r^2 + (1+s2)/m ((1 - (d+2) r)/r)^2 ],   r = a beta, k = a (1-(d+2)r)/r.
    To leading order 2 sqrt(lambda (lambda + 2d + 4)(1 + s2)/m): it fades as m^(-1/2), with corrections of m^(-1/4).
    """
    d = setting.d
    r = torch.linspace(1e-5, 1, 100_000, dtype=torch.float64) / (d + 2)
    noise = (1 + setting.noise) / m * ((1 - (d + 2) * r) / r) ** 2
    return float((2 * (d + 2) * r**2 + weight * (r**2 + noise)).min())


def axial_model(setting: Setting, p: Float[Tensor, " 6"]) -> Merged:
    """Return the model of six numbers that treats all directions around theta_0 alike (Sigma = I).

    p = (k, a, a', e, beta, omega): Q_00 = k, Q_xx = a I + a' t t', Q_xy = e t, v_x = beta t, v_y = omega, t = theta_0/|theta_0|.
    The losses do not change under rotations that fix theta_0, nor under (x, y) -> (-x, -y); what else Q and v hold breaks one
    of the two. The paper's forms have a' = e = 0.
    """
    d = setting.d
    axis = setting.theta_0 / setting.theta_0.norm()
    scores = p[1] * torch.eye(d, dtype=torch.float64) + p[2] * torch.outer(axis, axis)
    zero, row = torch.zeros(1, dtype=torch.float64), torch.zeros(1, setting.dim, dtype=torch.float64)
    top = torch.cat([p[:1], torch.zeros(d + 1, dtype=torch.float64)]).unsqueeze(0)
    middle = torch.cat([torch.zeros(d, 1, dtype=torch.float64), scores, (p[3] * axis).unsqueeze(-1)], dim=-1)
    return Merged(query_key=torch.cat([top, middle, row]), value=torch.cat([zero, p[4] * axis, p[5:]]))


def best_axial(setting: Setting, weight: float, *, many: bool = True, value_only: bool = False) -> Optimum:
    """Minimise ZS(theta_0) + weight * (MT if many else FS) over the axial models, exactly up to rounding.

    `value_only` holds Q at Sigma^-1 and moves v alone. Descent by L-BFGS on the exact population losses from several starts,
    the best kept, since the losses of all parameters have more than one valley. Raises TheoryError for weight <= 0.
    """
    if not weight > 0:
        raise TheoryError(f"weight is {weight}; without a few-shot loss (weight > 0) the zero-shot optimum is not unique")
    starts = [(0.0, 1.0, 0.0, 0.0, 0.1, 0.8)] if value_only else _STARTS
    best: Optimum | None = None
    lowest = math.inf
    for start in starts:
        p = torch.tensor(start, dtype=torch.float64, requires_grad=True)
        keep = torch.tensor([0, 0, 0, 0, 1, 1] if value_only else [1] * 6, dtype=torch.float64)

        def losses(p: Tensor = p) -> tuple[Tensor, Tensor, Tensor]:
            model = axial_model(setting, p)
            own = population_error(setting, model, [0, setting.m], setting.theta_0)
            spread = average_error(setting, model, setting.m)[0]
            return own[0] + weight * (spread if many else own[1]), own[0], spread

        search = torch.optim.LBFGS(
            [p], max_iter=400, history_size=20, line_search_fn="strong_wolfe", tolerance_grad=1e-11, tolerance_change=1e-15
        )

        def closure(p: Tensor = p, keep: Tensor = keep) -> Tensor:
            loss = losses(p)[0]
            p.grad = torch.autograd.grad(loss, p)[0] * keep
            return loss.detach()

        search.step(closure)
        closure()
        loss, own, spread = (float(x.detach()) for x in losses())
        if loss < lowest - 1e-10 and p.grad is not None:
            lowest = loss
            best = Optimum(axial_model(setting, p.detach()), own, spread, float(p.grad.abs().max()))
    assert best is not None
    return best


_STARTS = [
    (0.3, 0.8, 0.0, 0.0, 0.1, 1.0),
    (2.0, 0.8, 0.0, 0.0, 0.1, 1.0),
    (1.0, 0.0, 0.0, 1.0, 1.0, 0.1),
    (1.0, 0.5, -0.3, 0.3, 0.5, 0.5),
]
