"""Hold rows of a parameter bit for bit as they are, whatever trains the rest of it.

A fused matrix is one parameter, so `requires_grad` cannot freeze its query rows alone. Two hooks do: the gradient of held
rows is zero (they do not count in the clipped norm), and after every optimiser step their values are put back (weight decay,
or an optimiser that mixes rows, would move them without a gradient). Trainers that put other parameters in their place, as
FSDP and DeepSpeed do, lose both hooks, and the rows would move; `has_held_rows` is for them to ask.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

_MARK = "_holds_rows"


@dataclass(frozen=True, slots=True)
class HeldRows:
    """Rows of one parameter, with the values they keep."""

    parameter: weakref.ref
    rows: torch.Tensor
    """(held,) int64"""
    axis: int
    values: torch.Tensor

    @property
    def n_held(self) -> int:
        """Number of values that do not move."""
        return self.values.numel()


def hold_rows(chosen: Sequence[tuple[torch.nn.Parameter, torch.Tensor, int]]) -> int:
    """Hold (parameter, rows, axis) for as long as the parameters live; return how many values are held.

    Works with any torch optimiser in any trainer, in one process or under DDP. Copies of the model are not held, and
    weights that are loaded later must have the same held values.
    """
    held = [_hold(parameter, rows.to(parameter.device), axis) for parameter, rows, axis in chosen]
    if held:
        handle = register_optimizer_step_post_hook(partial(_put_back, held))
        # all of them live and die with one model
        weakref.finalize(chosen[0][0], handle.remove)
    return sum(one.n_held for one in held)


def has_held_rows(model: Any) -> bool:
    """Tell whether rows of any of a model's parameters are held."""
    # a copy of a parameter has neither its hooks nor its mark
    return any(hasattr(parameter, _MARK) for parameter in model.parameters())


def _hold(parameter: torch.nn.Parameter, rows: torch.Tensor, axis: int) -> HeldRows:
    values = parameter.detach().index_select(axis, rows).clone()
    setattr(parameter, _MARK, True)
    parameter.register_hook(lambda gradient: gradient.index_fill(axis, rows.to(gradient.device), 0))
    return HeldRows(weakref.ref(parameter), rows, axis, values)


@torch.no_grad()
def _put_back(held: Sequence[HeldRows], optimizer: Any, *_: Any) -> None:
    stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for one in held:
        parameter = one.parameter()
        if parameter is not None and id(parameter) in stepped:
            # models move to their device after they are prepared
            parameter.index_copy_(one.axis, one.rows.to(parameter.device), one.values.to(parameter))
