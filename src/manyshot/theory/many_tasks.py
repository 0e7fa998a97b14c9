"""Ours: tune on ZS(theta_0) + lambda MT, MT the m-shot loss averaged over many tasks. Does it escape the trade-off?

MT replaces the paper's FS (the m-shot loss on theta_0 alone); tasks are uniform on the unit sphere. For Sigma = I:
1. Value only. Err_V is linear in <theta, theta_0>, which averages to 0, so MT picks w = a*, the pre-trained weight and
   the exact midpoint of w*(theta_0) and w*(-theta_0). Fair, not free: both tasks pay `weight_regret` (minimax over w).
2. In the joined family the mean over all tasks is the mean of theta_0 and -theta_0, for the same reason.
3. One head, all parameters. One score z_q'Q z_j serves both v_x (the target) and v_y (the prompt), so Q_00 v_x = p
theta_0
   (needed without shots) and Q_xx v_y = a I (needed with them) force k = Q_00 v_y (noise k ybar) and r = Q_xx v_x (a
   bias) with k r = a p. The price of that is `one_head_price`; it fades with the prompt, but only as m^(-1/2).
4. Two heads need no such product: zero-shot is exact and the prompt costs (1/(n+1)) ||theta_0||^2, `error_two_heads`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.closed_forms import Shots, error_pretrained
from manyshot.theory.model import Merged
from manyshot.theory.setting import Setting, inner, shot_counts

if TYPE_CHECKING:
    from jaxtyping import Float


def many_task_weight(setting: Setting, n: Shots) -> Float[Tensor, " shots"]:
    """Return the w that the n-shot loss over many tasks picks when only the value row moves.

    w_MT = (n+1) T / ((n+1+d) T + d s2),  T = E||theta||^2 = tr Sigma / d: the numerator and denominator of W, each
    averaged. It is a*, the best pre-training scale, so value-only tuning with MT leaves the prompt's weight where
    pre-training put it.
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

    Err_2 = Err_P + [g^2 ||theta_0||^2 - 2 g <theta_0, theta> (1 - a n/(n+1))] / (n+1). With g = 1 and no shots the
    error on theta_0 is s2; averaged over tasks the prompt costs ||theta_0||^2/(n+1), which fades as fast as sampling
    error itself.
    """
    shots = shot_counts(n)
    cross = inner(setting, theta, setting.theta_0).unsqueeze(-1)
    extra = gain**2 * inner(setting, setting.theta_0, setting.theta_0) - 2 * gain * cross * (
        1 - a * shots / (shots + 1)
    )
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
    """Return the least price of one head in the joined family above the floors (1 + lambda) s2, for large m.

    min over 0 < r <= 1/(d+2) of  2(d+2) r^2 + lambda [ r^2 + (1+s2)/m ((1 - (d+2) r)/r)^2 ]   (Sigma = I),
    with r = a beta, k = a (1 - (d+2) r) / r.
    To leading order 2 sqrt(lambda (lambda + 2d + 4)(1 + s2)/m): it fades as m^(-1/2), with corrections of m^(-1/4).
    """
    d = setting.d
    r = torch.linspace(1e-5, 1, 100_000, dtype=torch.float64) / (d + 2)
    noise = (1 + setting.noise) / m * ((1 - (d + 2) * r) / r) ** 2
    return float((2 * (d + 2) * r**2 + weight * (r**2 + noise)).min())
