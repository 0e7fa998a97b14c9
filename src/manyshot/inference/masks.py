"""Attention masks for a row of branches, in the form each architecture takes. Tensors in, tensors out.

Token q may see key k when k is its ancestor (or itself) and, in a layer with a sliding window, when
position(k) > position(q) - window. Distances count positions, not slots: branches share slots but not positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from torch import Tensor

FULL = "full_attention"
SLIDING = "sliding_attention"


@dataclass(frozen=True, slots=True)
class MaskForm:
    """What a model's `attention_mask` argument must look like for tokens that see chosen others."""

    kinds: tuple[str, ...]
    """Layer types, each once; () where the config names none."""
    window: int | None
    additive: bool
    """Eager attention adds the mask: a boolean one would be silently wrong there."""

    @classmethod
    def of(cls, model: Any) -> MaskForm:
        """Read the form off a model's config."""
        config = model.config.get_text_config()
        kinds = tuple(dict.fromkeys(getattr(config, "layer_types", None) or ()))
        window = getattr(config, "sliding_window", None)
        # Qwen2 and Qwen3 carry a window they do not use unless told so
        if getattr(config, "use_sliding_window", True) is False and SLIDING not in kinds:
            window = None
        return cls(kinds, window, config._attn_implementation == "eager")

    def build(
        self,
        visible: Bool[Tensor, "query key"],
        query_positions: Int[Tensor, " query"],
        key_positions: Int[Tensor, " key"],
        dtype: torch.dtype,
    ) -> Tensor | dict[str, Tensor]:
        """Return the mask: (1, 1, query, key), or a dict of them by layer type."""

        def one(kind: str) -> Tensor:
            allowed = visible
            if kind == SLIDING and self.window is not None:
                allowed = visible & (key_positions[None] > query_positions[:, None] - self.window)
            if self.additive:
                floor = torch.finfo(dtype).min
                allowed = torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, floor)
            return allowed[None, None]

        if self.kinds:
            return {kind: one(kind) for kind in self.kinds}
        return one(SLIDING if self.window is not None else FULL)
