"""The models at the stated optima, as matrices: what P, F, V and the joined family are the errors of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.model import Merged
from manyshot.theory.setting import Setting, inner

if TYPE_CHECKING:
    from jaxtyping import Float


def joined_model(setting: Setting, *, k: float, a: float, beta: float, omega: float) -> Merged:
    """Return Q_00 = k, Q_xx = a Sigma^-1, v_x = beta theta_0, v_y = omega, the rest 0."""
    return _fill(setting, k, a * torch.linalg.inv(setting.sigma), beta * setting.theta_0, omega)


def pretrained_model(setting: Setting, a: float) -> Merged:
    """P. Return v_y = 1, Q_xx = a Sigma^-1."""
    return joined_model(setting, k=0.0, a=a, beta=0.0, omega=1.0)


def pretrained_matrix_model(setting: Setting, scores: Float[Tensor, "d d"]) -> Merged:
    """Return v_y = 1 and a Q_xx of one's own, such as `best_pretraining_matrix`."""
    return _fill(setting, 0.0, scores, torch.zeros(setting.d, dtype=torch.float64), 1.0)


def all_model(setting: Setting, c: float, omega: float) -> Merged:
    """F. Return Q_00 = 1/c, v_x = c theta_0, v_y = omega."""
    return joined_model(setting, k=1 / c, a=0.0, beta=c, omega=omega)


def value_model(setting: Setting, w: float, alpha: float | None = None) -> Merged:
    """V. Return Q_xx = Sigma^-1, v_x = al theta_0, v_y = w; al = 1/(d+4) unless given."""
    return joined_model(setting, k=0.0, a=1.0, beta=1 / (setting.d + 4) if alpha is None else alpha, omega=w)


def joined_parameters(setting: Setting, model: Merged) -> dict[str, float]:
    """Return the member of the joined family nearest to a learned model, and how much of the model it leaves out.

    a = tr(Q_xx Sigma)/d, k = Q_00, beta = <v_x, theta_0>/||theta_0||^2, omega = v_y. The scale of Q against v is not
    pinned by any loss, so k, a, beta, omega are divided or multiplied to make v_y = 1 (when it is not 0). `outside`
    is the share of the squared entries of Q (its last row aside, which a blank label never reads) and v that the
    family does not hold.
    """
    Q, v = model.query_key.to(torch.float64), model.value.to(torch.float64)
    t0 = setting.theta_0
    omega = float(v[-1])
    scale = omega if abs(omega) > 1e-12 else 1.0
    found = {
        "k": float(Q[0, 0]) * scale,
        "a": float((Q[1:-1, 1:-1] * setting.sigma).sum()) / setting.d * scale,
        "beta": float(inner(setting, v[1:-1], t0) / inner(setting, t0, t0)) / scale,
        "omega": omega / scale,
    }
    family = joined_model(setting, **found)
    kept_q, kept_v = family.query_key / scale, family.value * scale
    return found | {
        "outside_query_key": float(((Q - kept_q)[:-1] ** 2).sum() / (Q[:-1] ** 2).sum()),
        "outside_value": float(((v - kept_v) ** 2).sum() / (v**2).sum()),
    }


def _fill(setting: Setting, k: float, scores: Tensor, v_x: Tensor, v_y: float) -> Merged:
    query_key = torch.zeros(setting.dim, setting.dim, dtype=torch.float64)
    query_key[0, 0] = k
    query_key[1:-1, 1:-1] = scores
    value = torch.zeros(setting.dim, dtype=torch.float64)
    value[1:-1] = v_x
    value[-1] = v_y
    return Merged(query_key=query_key, value=value)
