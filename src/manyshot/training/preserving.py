"""Preservation terms within a training: which positions they need, and what they add to the loss of a batch."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from manyshot.errors import RecipeError
from manyshot.objectives import PreservationOptions, fill_mask, kl_divergence, scheduled_weight, squared_distance
from manyshot.training.meter import Meter
from manyshot.training.reference import Reference, moving_parameters

KL_TERMS = ("kl_input", "kl_icl")


class Preservation:
    """The terms of one training. Made from the model as it is before the first step."""

    def __init__(self, options: PreservationOptions, model: Any, meter: Meter) -> None:
        if options.needs_reference and getattr(model, "soft_prompt", None) is not None:
            raise RecipeError(
                "objective.preservation: kl_input and kl_icl compare with the model's start, which has no soft prompt before "
                "its rows; leave them out of stages with one"
            )
        self.options, self.meter = options, meter
        self.reference = Reference(model) if options.needs_reference else None
        self._moving = moving_parameters(model, self.reference) if options.l2_sp is not None else []

    def positions(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Return where each KL term compares predictions: (row, token) bool, for terms that this batch has rows of."""
        return {name: batch[name] for name in KL_TERMS if name in batch and bool(batch[name].any())}

    def few_shot_weight(self, step: int, n_steps: int) -> float | None:
        """Return w_t of the few-shot part of the loss; None where the loss has no parts."""
        term = self.options.few_shot_aux
        return None if term is None else scheduled_weight(term, step, n_steps)

    def start_logits(
        self, model: Any, columns: dict[str, Any], wanted: torch.Tensor, autocast: AbstractContextManager
    ) -> torch.Tensor:
        """Return the start's logits at positions (row, token) of a batch: (position, vocab)."""
        assert self.reference is not None
        return self.reference.logits(model, columns, wanted, autocast)

    def divergences(
        self,
        tuned: torch.Tensor,
        kept: torch.Tensor,
        positions: dict[str, torch.Tensor],
        counts: dict[str, float],
        step: tuple[int, int],
        start_logits: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Return the weighted KL terms of a batch, as its part of the global means.

        `tuned` are logits (position, vocab) where `kept` (row, token) is set, which holds all `positions`; `counts` are
        the terms' positions in the global batch, `step` is (t, T), and `start_logits(mask)` gives the start's logits.
        """
        wanted = fill_mask(torch.stack(list(positions.values())).any(0))
        start = start_logits(wanted)
        total = tuned.new_zeros((), dtype=torch.float32)
        for name, mask in positions.items():
            now, before = tuned[mask[kept]], start[mask[wanted]]
            # SelfAug pulls the tuned model towards its start mode by mode; the ICL term wants all of the start covered
            kl = kl_divergence(now, before) if name == "kl_input" else kl_divergence(before, now)
            self.meter.add_term(name, kl.sum(), len(kl))
            total = total + scheduled_weight(getattr(self.options, name), *step) * kl.sum() / counts[name]
        return total

    def distance(self, step: tuple[int, int]) -> torch.Tensor | None:
        """Return the weighted l2_sp term; None where there is none."""
        if self.options.l2_sp is None:
            return None
        # the start was taken before the model went to its device
        self._moving = [(p, start.to(p.device)) for p, start in self._moving]
        squared = squared_distance(self._moving)
        self.meter.add_term("l2_sp", squared, 1)
        return scheduled_weight(self.options.l2_sp, *step) * squared
