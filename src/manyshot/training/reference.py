"""The model as it was before training: its predictions at chosen positions, and its parameters.

The start of a model with an adapter is the model with the adapter switched off, which costs no second copy; of any other
model it is a frozen copy. Both are read in the precision that the tuned model is read in, without dropout.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from manyshot.errors import RecipeError


class Reference:
    """The start of a training. Make it before the first step."""

    def __init__(self, model: Any) -> None:
        self.copy: Any = None
        if has_adapter(model):
            _refuse_unswitchable(model)
        else:
            self.copy = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def logits(
        self, model: Any, columns: dict[str, Any], keep: torch.Tensor, autocast: AbstractContextManager
    ) -> torch.Tensor:
        """Return the start's logits where `keep` (row, token) says: (position, vocab), row after row.

        `model` is the tuned one, not wrapped for several devices; `autocast` is the precision it runs in.
        """
        if self.copy is not None:
            with autocast:
                out = self.copy(**columns, logits_to_keep=keep, use_cache=False)
        else:
            with model.disable_adapter(), evaluating(model):
                out = model(**columns, logits_to_keep=keep, use_cache=False)
        return out.logits.reshape(-1, out.logits.shape[-1])


def has_adapter(model: Any) -> bool:
    """Tell whether a model is a PEFT one."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Switch dropout off, and give every module back the mode it had."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def moving_parameters(model: Any, reference: Reference | None) -> list[tuple[torch.nn.Parameter, torch.Tensor]]:
    """Return (parameter, its value at the start) for all that move; the values are the reference's own where it has a copy."""
    at_start = dict(reference.copy.named_parameters()) if reference is not None and reference.copy is not None else {}
    return [
        (parameter, at_start[name] if name in at_start else parameter.detach().clone())
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]


def _refuse_unswitchable(model: Any) -> None:
    for name, config in model.peft_config.items():
        bias = getattr(config, "bias", "none")
        if bias != "none":
            raise RecipeError(
                f'tuning.lora.bias is "{bias}" (adapter {name}): biases stay tuned when the adapter is switched off, so '
                "objective.preservation has no start to compare with; leave bias out"
            )
