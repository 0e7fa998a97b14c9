"""The weighted negative log-likelihood of target tokens. Tensors in, never a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

# above this many logits the fp32 copies of cross-entropy are made chunk by chunk and made again in the backward pass
CHUNK_ABOVE_LOGITS = 1 << 27


def target_nll(
    logits: Float[Tensor, "target vocab"], targets: Int[Tensor, " target"], chunk_targets: int | None = None
) -> Float[Tensor, " target"]:
    """Return -log p of each target in nats, in float32 whatever the dtype of the logits.

    `chunk_targets` bounds the memory of the float32 copies; by default it acts above 2^27 logits only.
    """
    n, vocabulary = logits.shape
    if chunk_targets is None:
        chunk_targets = n if n * vocabulary <= CHUNK_ABOVE_LOGITS else max(1, CHUNK_ABOVE_LOGITS // vocabulary)
    if chunk_targets >= n:
        return _nll(logits, targets)
    chunks = zip(logits.split(chunk_targets), targets.split(chunk_targets), strict=True)
    return torch.cat([checkpoint(_nll, a, b, use_reentrant=False) for a, b in chunks])


def _nll(logits: Float[Tensor, "target vocab"], targets: Int[Tensor, " target"]) -> Float[Tensor, " target"]:
    return F.cross_entropy(logits.float(), targets, reduction="none")


def keep_mask(weights: Float[Tensor, "row token"]) -> Tensor:
    """Return where the head is needed: position t is kept when token t + 1 is a target: (row, token) bool."""
    return F.pad(weights[:, 1:] > 0, (0, 1), value=False)
