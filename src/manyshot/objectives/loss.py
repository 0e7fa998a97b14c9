"""The weighted negative log-likelihood of target tokens. Tensors in, never a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int
    from torch import Tensor

# above this many logits the fp32 copies of cross-entropy are made chunk by chunk and made again in the backward pass
CHUNK_ABOVE_LOGITS = 1 << 27
# the head is computed at a multiple of positions: on a CPU each new shape of a matrix costs kernels made anew and kept
HEAD_MULTIPLE = 32


def target_nll(
    logits: Float[Tensor, "target vocab"], targets: Int[Tensor, " target"], chunk_targets: int | None = None
) -> Float[Tensor, " target"]:
    """Return -log p of each target in nats, in float32 whatever the dtype of the logits.

    `chunk_targets` bounds the memory of the float32 copies; by default it acts above 2^27 logits only.
    """
    return in_chunks(_nll, logits, targets, chunk_targets)


def in_chunks(
    function: Callable[[Tensor, Tensor], Tensor], logits: Tensor, other: Tensor, chunk: int | None = None
) -> Tensor:
    """Return function(logits, other), rows apart: `chunk` rows at a time and made again in the backward pass.

    By default chunks are made above 2^27 logits only.
    """
    n, vocabulary = logits.shape
    if chunk is None:
        chunk = n if n * vocabulary <= CHUNK_ABOVE_LOGITS else max(1, CHUNK_ABOVE_LOGITS // vocabulary)
    if chunk >= n:
        return function(logits, other)
    pairs = zip(logits.split(chunk), other.split(chunk), strict=True)
    return torch.cat([checkpoint(function, a, b, use_reentrant=False) for a, b in pairs])


def _nll(logits: Float[Tensor, "target vocab"], targets: Int[Tensor, " target"]) -> Float[Tensor, " target"]:
    return F.cross_entropy(logits.float(), targets, reduction="none")


def keep_mask(weights: Float[Tensor, "row token"]) -> Tensor:
    """Return where the head is needed: position t is kept when token t + 1 is a target: (row, token) bool."""
    return F.pad(weights[:, 1:] > 0, (0, 1), value=False)


def fill_mask(keep: Tensor, multiple: int = HEAD_MULTIPLE) -> Tensor:
    """Return a mask (row, token) with more positions kept, the first there are, until their number is a multiple.

    The last position of a row is never added: it predicts nothing.
    """
    more = -int(keep.sum()) % multiple
    spare = F.pad(~keep[:, :-1], (0, 1), value=False)
    return keep | (spare & (spare.flatten().cumsum(0) <= more).view_as(keep))
