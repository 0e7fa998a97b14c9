"""The exact test error of any linear-attention model (Q, v), by Gaussian moments: no sampling, differentiable.

    Err(n, theta) = E (f - y_q)^2,   N f = B l + h,   B = z_q' Q z_q,   l = v.z_q,   h = sum_{j<=n} (z_q' Q z_j)(v.z_j)

M = E z z' (a demonstration), M_q = E z_q z_q', r = Q M v, p = theta.x_q. With x_q = x and the query token (1, x, 0):
    B = Q_00 + b.x + x' S x,  b = Q_0x + Q_x0,  S = sym Q_xx;   l = v_0 + v_x.x.
    E h p   = n <r_x, theta>
    E h^2   = n(n+1) r' M_q r + n tr(Q' M_q Q M) v' M v - 2n (Q' M_q Q)_00 v_0^2      (Isserlis, mean (1, 0, 0))
    E B l g = Bm (l_0 g_0 + <l, g>) + <b, l_0 g + g_0 l> + 2 l' Sg S Sg g             for any affine g(x) = g_0 + g.x
    E B^2 l^2 by Stein's identity, in `_query_moments`
Here Sg is Sigma and Bm = E B. P, F, V and the joined family of closed_forms.py are special cases; tests hold them
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.model import Merged
from manyshot.theory.setting import Setting, shot_counts

if TYPE_CHECKING:
    from jaxtyping import Float


def population_error(
    setting: Setting, model: Merged, n: int | list[int] | Tensor, theta: Float[Tensor, "*task d"]
) -> Float[Tensor, "*out shots"]:
    """Return Err(n, theta) for each model (leading axes of Q and v, broadcast against those of theta) and each n.

    Raises TheoryError for n < 0. The noise floor s2 is included.
    """
    shots = shot_counts(n)
    Q, v = model.query_key.to(torch.float64), model.value.to(torch.float64)
    theta = theta.to(torch.float64)
    st = theta @ setting.sigma
    label_variance = (st * theta).sum(-1)
    M = _demonstration_moments(setting, theta)
    M_q = torch.zeros(setting.dim, setting.dim, dtype=torch.float64)
    M_q[0, 0] = 1
    M_q[1:-1, 1:-1] = setting.sigma

    Mv = (M @ v.unsqueeze(-1)).squeeze(-1)
    r = (Q @ Mv.unsqueeze(-1)).squeeze(-1)
    spread = Q.mT @ M_q @ Q
    vMv = (v * Mv).sum(-1)
    reach = (spread * M).sum((-2, -1))
    answer = torch.cat([torch.zeros_like(theta[..., :1]), theta, torch.zeros_like(theta[..., :1])], dim=-1)
    blp = _query_cross(setting, Q, v, answer)
    blr = _query_cross(setting, Q, v, r)
    b2l2 = _query_moments(setting, Q, v)
    hp = (r[..., 1:-1] * st).sum(-1)
    rr = ((r @ M_q) * r).sum(-1)
    single = reach * vMv - 2 * spread[..., 0, 0] * v[..., 0] ** 2

    def column(value: Tensor) -> Tensor:
        return value.unsqueeze(-1)

    linear = (shots * column(hp) + column(blp)) / (shots + 1)
    square = shots * (shots + 1) * column(rr) + shots * column(single + 2 * blr) + column(b2l2)
    return column(label_variance) - 2 * linear + square / (shots + 1) ** 2 + setting.noise


def average_error(setting: Setting, model: Merged, n: int | list[int] | Tensor) -> Float[Tensor, "*model shots"]:
    """Return the error averaged over tasks uniform on the unit sphere, exactly.

    Err is a polynomial of degree 4 in theta, so the cubature of `sphere_rule` has no remainder.
    """
    points, weights = sphere_rule(setting.d)
    stacked = Merged(query_key=model.query_key.unsqueeze(-3), value=model.value.unsqueeze(-2))
    return (population_error(setting, stacked, n, points) * weights.unsqueeze(-1)).sum(-2)


def sphere_rule(d: int) -> tuple[Float[Tensor, "point d"], Float[Tensor, " point"]]:
    """Return points and weights that average every polynomial of degree <= 5 over the unit sphere of R^d.

    +-e_i with weight (4-d) / (2d(d+2)) and (+-e_i +- e_j)/sqrt 2 with weight 1/(d(d+2)); 2 d^2 points (Stroud 1971,
    U_n 5-2).
    """
    eye = torch.eye(d, dtype=torch.float64)
    axes = torch.cat([eye, -eye])
    pairs = [(eye[i] + sign * eye[j]) / 2**0.5 for i in range(d) for j in range(i) for sign in (1, -1)]
    diagonals = torch.stack([*pairs, *(-p for p in pairs)]) if pairs else axes[:0]
    weights = torch.full((len(axes) + len(diagonals),), 1 / (d * (d + 2)), dtype=torch.float64)
    weights[: len(axes)] = (4 - d) / (2 * d * (d + 2))
    return torch.cat([axes, diagonals]), weights


def _demonstration_moments(setting: Setting, theta: Float[Tensor, "*task d"]) -> Float[Tensor, "*task dim dim"]:
    """Return M = E z z' of a demonstration (1, x, y) of the task theta."""
    st = theta @ setting.sigma
    M = torch.zeros(*theta.shape[:-1], setting.dim, setting.dim, dtype=torch.float64)
    M[..., 0, 0] = 1
    M[..., 1:-1, 1:-1] = setting.sigma
    M[..., 1:-1, -1] = st
    M[..., -1, 1:-1] = st
    M[..., -1, -1] = (st * theta).sum(-1) + setting.noise
    return M


def _query_parts(setting: Setting, Q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return S = sym Q_xx, b = Q_0x + Q_x0 and Bm = E B."""
    S = (Q[..., 1:-1, 1:-1] + Q[..., 1:-1, 1:-1].mT) / 2
    b = Q[..., 0, 1:-1] + Q[..., 1:-1, 0]
    return S, b, Q[..., 0, 0] + (S * setting.sigma).sum((-2, -1))


def _query_cross(setting: Setting, Q: Tensor, v: Tensor, g: Tensor) -> Tensor:
    """Return E[B (v.z_q)(g.z_q)] over the query."""
    S, b, mean = _query_parts(setting, Q)
    v0, g0 = v[..., 0], g[..., 0]
    sv, sg = v[..., 1:-1] @ setting.sigma, g[..., 1:-1] @ setting.sigma
    bend = ((S @ sv.unsqueeze(-1)).squeeze(-1) * sg).sum(-1)
    tilt = (b * (v0.unsqueeze(-1) * sg + g0.unsqueeze(-1) * sv)).sum(-1)
    return mean * (v0 * g0 + (v[..., 1:-1] * sg).sum(-1)) + tilt + 2 * bend


def _query_moments(setting: Setting, Q: Tensor, v: Tensor) -> Tensor:
    """Return E[B^2 l^2], of degree 6 in x.

    E B^2 l^2 = E[B^2](v_0^2 + |l|^2) + 2 v_0 E[B^2 l.x] + E[B^2 ((l.x)^2 - |l|^2)], the last two by Stein's identity:
    E[B^2 l.x] = 2 l' Sg (Bm b + 2 S Sg b)  and  E[..] = 2 <l, b>^2 + 8 l' Sg S Sg S Sg l + 4 Bm l' Sg S Sg l.
    """
    S, b, mean = _query_parts(setting, Q)
    v0, sl = v[..., 0], v[..., 1:-1] @ setting.sigma
    sb = b @ setting.sigma
    ssl = (S @ sl.unsqueeze(-1)).squeeze(-1)
    S_sigma = S @ setting.sigma
    square = mean**2 + (b * sb).sum(-1) + 2 * (S_sigma * S_sigma.mT).sum((-2, -1))
    lb = (sl * b).sum(-1)
    first = 2 * (mean * lb + 2 * (ssl * sb).sum(-1))
    second = 2 * lb**2 + 8 * ((ssl @ setting.sigma) * ssl).sum(-1) + 4 * mean * (sl * ssl).sum(-1)
    return square * (v0**2 + (sl * v[..., 1:-1]).sum(-1)) + 2 * v0 * first + second
