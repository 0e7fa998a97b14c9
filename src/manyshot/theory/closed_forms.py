"""The closed forms P, F, V and W, and the joined family that holds all of them, for any Sigma, noise and task.

Notation: ||t||^2 = t' Sigma t, <t, u> = t' Sigma u; every error includes the noise floor s2. Each function takes any
number of tasks (leading axes of theta) and of shots, and returns (*task, shots). Source: arXiv 2602.23197,
re-derived; docs/theory.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.setting import Setting, inner, shot_counts

if TYPE_CHECKING:
    from jaxtyping import Float

Shots = int | list[int] | Tensor


def pretraining_scale(setting: Setting) -> float:
    """Return a = m / (m + 1 + d), the scale of the published code; it leaves the label noise out."""
    return setting.m / (setting.m + 1 + setting.d)


def best_pretraining_scale(setting: Setting) -> float:
    """Return a* = (m+1) T / ((m+1+d) T + d s2), the best a in Q_xx = a Sigma^-1; T = E||theta||^2 = tr Sigma / d.

    With Sigma = I it is (m+1) / (m+1+d+d s2), the exact minimiser over all Q.
    """
    mean = float(setting.sigma.trace()) / setting.d
    return (setting.m + 1) * mean / ((setting.m + 1 + setting.d) * mean + setting.d * setting.noise)


def best_pretraining_matrix(setting: Setting) -> Float[Tensor, "d d"]:
    """Return Q_xx* = (m+1) [ (m+1) Sigma + (tr Sigma + d s2) I ]^-1, exact for tasks uniform on the unit sphere.

    It is a multiple of Sigma^-1 only when Sigma is a multiple of I: the prior over theta is round, the inputs are not.
    """
    eye = torch.eye(setting.d, dtype=torch.float64)
    ridge = setting.sigma.trace() + setting.d * setting.noise
    return (setting.m + 1) * torch.linalg.inv((setting.m + 1) * setting.sigma + ridge * eye)


def error_pretrained(
    setting: Setting, n: Shots, theta: Float[Tensor, "*task d"], a: float
) -> Float[Tensor, "*task shots"]:
    """P. Return the error of the pre-trained model, v_y = 1 and Q_xx = a Sigma^-1.

    Err_P = ||theta||^2 (1 - 2an/(n+1) + a^2 n(n+1+d)/(n+1)^2) + a^2 n d s2/(n+1)^2 + s2.
    """
    shots, size, d = shot_counts(n), inner(setting, theta, theta).unsqueeze(-1), setting.d
    signal = 1 - 2 * a * shots / (shots + 1) + a**2 * shots * (shots + 1 + d) / (shots + 1) ** 2
    return size * signal + a**2 * shots * d * setting.noise / (shots + 1) ** 2 + setting.noise


def error_all(setting: Setting, n: Shots, theta: Float[Tensor, "*task d"], rho: float) -> Float[Tensor, "*task shots"]:
    """F. Return the error where all parameters sit at the zero-shot optimum Q_00 = 1/c, v_x = c theta_0, v_y = omega.

    Err_F = ||theta - theta_0/(n+1)||^2 + n/(n+1)^2 (||theta_0 + rho theta||^2 + rho^2 s2) + s2,   rho = omega/c.
    As n grows it tends to ||theta||^2 + s2 for every theta: the prompt is no longer read.
    """
    shots, t0 = shot_counts(n), setting.theta_0
    target, own = inner(setting, t0, t0), inner(setting, theta, theta).unsqueeze(-1)
    cross = inner(setting, theta, t0).unsqueeze(-1)
    miss = own - 2 * cross / (shots + 1) + target / (shots + 1) ** 2
    mixed = target + 2 * rho * cross + rho**2 * own
    return miss + shots / (shots + 1) ** 2 * (mixed + rho**2 * setting.noise) + setting.noise


def error_value(
    setting: Setting, n: Shots, theta: Float[Tensor, "*task d"], w: float, alpha: float | None = None
) -> Float[Tensor, "*task shots"]:
    """V. Return the error where only the value row is tuned: Q_xx = Sigma^-1, v_x = al theta_0, v_y = w.

    Err_V = ||theta||^2 - 2/(n+1) [n <theta,u> + al(d+2) <theta,theta_0>]
            + 1/(n+1)^2 [n(n+1+d)||u||^2 + n d s2 w^2 + al^2 (d+2)(d+4)||theta_0||^2 + 2 al n(d+2) <u,theta_0>] + s2
    u = al theta_0 + w theta; al = 1/(d+4) is the zero-shot optimum (the default), which leaves w free.
    """
    al = 1 / (setting.d + 4) if alpha is None else alpha
    return error_joined(setting, n, theta, k=0.0, a=1.0, beta=al, omega=w)


def best_weight(setting: Setting, n: Shots, theta: Float[Tensor, "*task d"]) -> Float[Tensor, "*task shots"]:
    """W. Return the w that the few-shot loss on theta picks, with v_x at the zero-shot optimum.

    w* = [(n+1)||theta||^2 - (n+3+2d) <theta,theta_0>/(d+4)] / [(n+1+d)||theta||^2 + d s2].
    Limit (d+3)/(d+4) for theta_0 but (d+5)/(d+4) for -theta_0: the trade-off. At n = 0 the loss does not depend on w;
    the value returned there is the formula's.
    """
    shots, d = shot_counts(n), setting.d
    own = inner(setting, theta, theta).unsqueeze(-1)
    cross = inner(setting, theta, setting.theta_0).unsqueeze(-1)
    pull = (shots + 1) * own - (shots + 3 + 2 * d) * cross / (d + 4)
    return pull / ((shots + 1 + d) * own + d * setting.noise)


def error_joined(
    setting: Setting, n: Shots, theta: Float[Tensor, "*task d"], *, k: float, a: float, beta: float, omega: float
) -> Float[Tensor, "*task shots"]:
    """Return the error of the joined family Q_00 = k, Q_xx = a Sigma^-1, v_x = beta theta_0, v_y = omega.

    Err = ||theta||^2 - 2/(n+1) [n a <u,theta> + beta(k + a(d+2)) <theta_0,theta>]
          + 1/(n+1)^2 [n(n+1) a^2 ||u||^2 + n(k^2 + a^2 d)(||u||^2 + omega^2 s2) + 2 n a beta(k + a(d+2)) <theta_0,u>
                       + beta^2 ||theta_0||^2 (k^2 + 2ka(d+2) + a^2(d+2)(d+4))] + s2,   u = beta theta_0 + omega theta.
    P is k = beta = 0; F is a = 0; V is k = 0. Ours: the paper has the three apart.
    """
    shots, d, s2, t0 = shot_counts(n), setting.d, setting.noise, setting.theta_0
    own = inner(setting, theta, theta).unsqueeze(-1)
    cross = inner(setting, theta, t0).unsqueeze(-1)
    target = inner(setting, t0, t0)
    u_u = beta**2 * target + 2 * beta * omega * cross + omega**2 * own
    u_theta = beta * cross + omega * own
    u_target = beta * target + omega * cross
    gain = beta * (k + a * (d + 2))
    linear = shots * a * u_theta + gain * cross
    square = (
        shots * (shots + 1) * a**2 * u_u
        + shots * (k**2 + a**2 * d) * (u_u + omega**2 * s2)
        + 2 * shots * a * gain * u_target
        + beta**2 * target * (k**2 + 2 * k * a * (d + 2) + a**2 * (d + 2) * (d + 4))
    )
    return own - 2 * linear / (shots + 1) + square / (shots + 1) ** 2 + s2
