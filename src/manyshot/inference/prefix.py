"""A prefix read once, and rows of branches behind it: every token of a row sees the prefix and its own ancestors.

    prefix (cached)          row
    header x1 y1 .. xk yk  | query A ...  a1 a2 | query B ...  b1 | ...

Queries, label pieces and generated tokens are all branches of one tree, so scoring and generating share one operation:
append chains of tokens behind earlier nodes and read logits. Two kinds of rows do it: `BranchedRow` on the cache, and
`ReencodedRow` from the start for each chain, for models whose state cannot be branched and as the check on the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from manyshot.inference.masks import MaskForm
from manyshot.models import own_forward

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor

ROOT = -1
# tokens that one batch of a re-encoding pass may hold, padding included
REENCODE_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Chain:
    """Tokens that follow each other behind the node `parent` (ROOT: the end of the prefix)."""

    parent: int
    ids: np.ndarray


class Row(Protocol):
    """Branches behind one prefix."""

    def append(self, chains: Sequence[Chain], *, every: bool = False) -> tuple[list[int], Float[Tensor, "kept vocab"]]:
        """Add chains; return each one's last node, and logits after each one's last token (after `every` token)."""
        ...


class Prefix:
    """The tokens that all queries of a cell share, with the model's cache of them.

    It can grow, so that one prefix serves a rising series of shot counts. One row of branches is open at a time.
    """

    def __init__(self, model: Any, *, cached: bool = True) -> None:
        self.model = model
        self.cached = cached
        self.form = MaskForm.of(model)
        self.ids = np.empty(0, np.int32)
        self.tokens_computed = 0
        self._cache: Any = None
        self._n_read = 0

    def __len__(self) -> int:
        return len(self.ids)

    def extend(self, ids: np.ndarray) -> None:
        """Put more tokens behind those already there. They are read, all in one pass, when a row is opened."""
        self.ids = np.concatenate([self.ids, np.asarray(ids, np.int32)])

    @torch.inference_mode()
    def _read(self) -> Any:
        """Read what the cache does not hold yet, and return the cache.

        No mask is passed. From an empty cache that keeps attention on its fast causal path; tokens behind a cached prefix need
        a mask, so a prefix that is read in few large pieces is read faster.
        """
        from transformers import DynamicCache

        # without a config every layer keeps all its tokens; windows are the mask's business
        self._cache = self._cache or DynamicCache()
        new = self.ids[self._n_read :]
        if len(new):
            tokens = torch.as_tensor(new.astype(np.int64), device=self.model.device)[None]
            own_forward(self.model)(input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
            self.tokens_computed += len(new)
            self._n_read = len(self.ids)
        return self._cache

    @contextmanager
    def branch(self) -> Iterator[Row]:
        """Open a row of branches; afterwards the cache is as it was."""
        if not self.cached:
            yield ReencodedRow(self)
            return
        cache = self._read()
        row = BranchedRow(self, cache)
        try:
            yield row
        finally:
            if row.n_nodes:
                cache.crop(-row.n_nodes)

    @property
    def cache_bytes(self) -> int:
        """Memory of the cached keys and values."""
        layers = self._cache.layers if self._cache is not None else ()
        return sum(t.nbytes for layer in layers for t in (layer.keys, layer.values) if t is not None)


class BranchedRow:
    """Branches in one row behind a cached prefix."""

    def __init__(self, prefix: Prefix, cache: Any) -> None:
        self.prefix, self.cache = prefix, cache
        self.n_nodes = 0
        device = prefix.model.device
        # visible[i, j]: node j is an ancestor of node i, or i itself
        self._visible = torch.zeros(0, 0, dtype=torch.bool, device=device)
        self._positions = torch.arange(len(prefix), device=device)

    @torch.inference_mode()
    def append(self, chains: Sequence[Chain], *, every: bool = False) -> tuple[list[int], Tensor]:
        """Run the chains through the model behind their parents, all in one pass."""
        old, n_new = self.n_nodes, sum(len(chain.ids) for chain in chains)
        device, n_prefix = self.prefix.model.device, len(self.prefix)
        visible = torch.zeros(n_new, old + n_new, dtype=torch.bool, device=device)
        positions = torch.empty(n_new, dtype=torch.long, device=device)
        keep = torch.zeros(n_new, dtype=torch.bool, device=device)
        last, at = [], 0
        for chain in chains:
            end = at + len(chain.ids)
            if chain.parent != ROOT:
                visible[at:end, :old] = self._visible[chain.parent, :old]
            visible[at:end, old + at : old + end] = torch.ones(
                end - at, end - at, dtype=torch.bool, device=device
            ).tril_()
            start = n_prefix if chain.parent == ROOT else int(self._positions[n_prefix + chain.parent]) + 1
            positions[at:end] = torch.arange(start, start + end - at, device=device)
            keep[at if every else end - 1 : end] = True
            last.append(old + end - 1)
            at = end
        ids = torch.as_tensor(np.concatenate([chain.ids for chain in chains]).astype(np.int64), device=device)
        all_positions = torch.cat([self._positions, positions])
        sees = torch.cat([torch.ones(n_new, n_prefix, dtype=torch.bool, device=device), visible], dim=1)
        model = self.prefix.model
        logits = own_forward(model)(
            input_ids=ids[None],
            past_key_values=self.cache,
            attention_mask=self.prefix.form.build(sees, positions, all_positions, model.dtype),
            position_ids=positions[None],
            use_cache=True,
            logits_to_keep=keep[None],
        ).logits
        self._grow(visible, all_positions, n_new)
        self.prefix.tokens_computed += n_new
        return last, logits.reshape(-1, logits.shape[-1])  # (kept, vocab)

    def _grow(self, visible: Tensor, positions: Tensor, n_new: int) -> None:
        n = self.n_nodes + n_new
        grown = torch.zeros(n, n, dtype=torch.bool, device=visible.device)
        grown[: self.n_nodes, : self.n_nodes] = self._visible
        grown[self.n_nodes :] = visible
        self._visible, self._positions, self.n_nodes = grown, positions, n


class ReencodedRow:
    """The same branches, each read from the start of the prefix: slow, and right for every causal model."""

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix
        self._paths: list[np.ndarray] = []

    @torch.inference_mode()
    def append(self, chains: Sequence[Chain], *, every: bool = False) -> tuple[list[int], Tensor]:
        """Run prefix, ancestors and chain of each branch as a sequence of its own, in padded batches."""
        whole: list[np.ndarray] = []
        last: list[int] = []
        for chain in chains:
            before = self.prefix.ids if chain.parent == ROOT else self._paths[chain.parent]
            for i in range(1, len(chain.ids) + 1):
                self._paths.append(np.concatenate([before, chain.ids[:i]]).astype(np.int64))
            last.append(len(self._paths) - 1)
            whole.append(self._paths[-1])
        pieces: list[Tensor] = []
        for batch in _batches([len(ids) for ids in whole]):
            width = max(len(whole[i]) for i in batch)
            # padding stands on the right, where no causal model looks at it
            tokens = np.stack([np.pad(whole[i], (0, width - len(whole[i]))) for i in batch])
            keep = torch.zeros(tokens.shape, dtype=torch.bool, device=self.prefix.model.device)
            for row, i in enumerate(batch):
                n = len(whole[i])
                keep[row, n - len(chains[i].ids) if every else n - 1 : n] = True
            out = own_forward(self.prefix.model)(
                input_ids=torch.as_tensor(tokens, device=self.prefix.model.device), use_cache=False, logits_to_keep=keep
            )
            pieces.append(out.logits.reshape(-1, out.logits.shape[-1]))
            self.prefix.tokens_computed += sum(len(whole[i]) for i in batch)
        return last, torch.cat(pieces)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for i in range(len(lengths)):
        if batch and max(lengths[j] for j in [*batch, i]) * (len(batch) + 1) > REENCODE_TOKENS:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
