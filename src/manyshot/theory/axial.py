"""The models that treat all directions around theta_0 alike, and the best of them for ZS(theta_0) + lambda few-shot.

With Sigma = I the losses do not change under rotations that fix theta_0, nor under (x, y) -> (-x, -y). The models
that share both symmetries have six numbers; P, F, V and the joined family are among them, with a' = e = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.errors import TheoryError
from manyshot.theory.model import Merged
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import Setting

if TYPE_CHECKING:
    from jaxtyping import Float

AXIAL_NAMES = ("k", "a", "a_axis", "e", "beta", "omega")


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Hold the minimiser of ZS(theta_0) + lambda auxiliary, and what it scores."""

    model: Merged
    zero_shot: float
    """Zero-shot error on theta_0."""
    many: float
    """m-shot error averaged over the sphere of tasks, whatever the auxiliary was."""
    gradient: float
    """Largest entry of the gradient that is left."""


def axial_model(setting: Setting, p: Float[Tensor, " 6"]) -> Merged:
    """Return the model of p = (k, a, a', e, beta, omega); differentiable.

    Q_00 = k, Q_xx = a I + a' t t', Q_xy = e t, v_x = beta t, v_y = omega, with t = theta_0 / |theta_0|. The term e
    lets a score depend on the label, (x_q.t) y_j: in-context learning along theta_0 alone.
    """
    d = setting.d
    axis = setting.theta_0 / setting.theta_0.norm()
    scores = p[1] * torch.eye(d, dtype=torch.float64) + p[2] * torch.outer(axis, axis)
    zero = torch.zeros(1, dtype=torch.float64)
    top = torch.cat([p[:1], zero.expand(d + 1)]).unsqueeze(0)
    middle = torch.cat([zero.expand(d, 1), scores, (p[3] * axis).unsqueeze(-1)], dim=-1)
    query_key = torch.cat([top, middle, zero.expand(1, setting.dim)])
    return Merged(query_key=query_key, value=torch.cat([zero, p[4] * axis, p[5:]]))


def axial_parameters(setting: Setting, model: Merged) -> Float[Tensor, " 6"]:
    """Return the axial model nearest to (Q, v) in the squared distance of entries."""
    Q, v = model.query_key.to(torch.float64), model.value.to(torch.float64)
    d, scores = setting.d, Q[1:-1, 1:-1]
    axis = setting.theta_0 / setting.theta_0.norm()
    along = axis @ scores @ axis
    across = (scores.trace() - along) / (d - 1) if d > 1 else torch.zeros_like(along)
    return torch.stack([Q[0, 0], across, along - across, Q[1:-1, -1] @ axis, v[1:-1] @ axis, v[-1]])


def best_axial(setting: Setting, weight: float, *, many: bool = True, value_only: bool = False) -> Optimum:
    """Minimise ZS(theta_0) + weight * (MT if many else FS) over the axial models, up to rounding.

    `value_only` holds Q at Sigma^-1 and moves v alone. L-BFGS on the exact population losses from several starts, the
    best kept, since the losses of all parameters have more than one valley. Raises TheoryError for weight <= 0 and
    for a Sigma other than I, where the symmetry does not hold.
    """
    if not weight > 0:
        raise TheoryError(f"weight is {weight}; without a few-shot loss (weight > 0) the optimum is not unique")
    if not torch.equal(setting.sigma, torch.eye(setting.d, dtype=torch.float64)):
        raise TheoryError("Sigma is not the identity; the axial models are symmetric only when it is")
    starts = _VALUE_STARTS if value_only else _STARTS
    found = [_descend(setting, weight, torch.tensor(s, dtype=torch.float64), many, value_only) for s in starts]
    return min(found, key=lambda pair: pair[0])[1]


def _descend(setting: Setting, weight: float, start: Tensor, many: bool, value_only: bool) -> tuple[float, Optimum]:
    p = start.clone().requires_grad_()
    keep = torch.tensor([0, 0, 0, 0, 1, 1] if value_only else [1] * 6, dtype=torch.float64)

    def losses() -> tuple[Tensor, Tensor]:
        model = axial_model(setting, p)
        few = (
            average_error(setting, model, setting.m)
            if many
            else population_error(setting, model, setting.m, setting.theta_0)
        )
        return population_error(setting, model, 0, setting.theta_0)[0], few[0]

    def closure() -> Tensor:
        zero_shot, few = losses()
        loss = zero_shot + weight * few
        p.grad = torch.autograd.grad(loss, p)[0] * keep
        return loss.detach()

    search = torch.optim.LBFGS(
        [p], max_iter=250, line_search_fn="strong_wolfe", tolerance_grad=1e-9, tolerance_change=1e-14
    )
    search.step(closure)
    loss = float(closure())
    left = math.inf if p.grad is None else float(p.grad.abs().max())
    model = axial_model(setting, p.detach())
    zero_shot = float(population_error(setting, model, 0, setting.theta_0))
    return loss, Optimum(model, zero_shot, float(average_error(setting, model, setting.m)), left)


_VALUE_STARTS = [(0.0, 1.0, 0.0, 0.0, 0.1, 0.8)]
_STARTS = [
    (0.3, 0.8, 0.0, 0.0, 0.1, 1.0),
    (2.0, 0.8, 0.0, 0.0, 0.1, 1.0),
    (1.0, 0.0, 0.0, 1.0, 1.0, 0.1),
]
