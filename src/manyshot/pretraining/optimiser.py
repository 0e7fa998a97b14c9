"""Muon for the matrices between embedding and head, AdamW for everything else, as one optimiser that can be resumed.

Muon (Jordan et al. 2024) makes every singular direction of an update equally large. While attention has not yet found
what to match, that direction of the gradient is a small one, so plain AdamW leaves it for long.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer


class MuonWithAdamW(Optimizer):
    """Two optimisers over disjoint parameters behind one face; a schedule scales both learning rates alike."""

    def __init__(self, model: torch.nn.Module, lr: float, adamw: dict[str, Any], muon_lr: float) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
        chosen = {id(p) for p in matrices}
        decay = adamw["weight_decay"]
        self.parts: list[Optimizer] = [
            Muon(matrices, lr=muon_lr, momentum=0.95, weight_decay=decay),
            AdamW([p for _, p in named if id(p) not in chosen], lr=lr, **adamw),
        ]
        super().__init__([{"params": [p for _, p in named]}], {})
        self._join()

    def _join(self) -> None:
        # the very dicts of the parts, so that a scheduler's learning rates reach them
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Step both parts."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return both parts' states."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both parts."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._join()
