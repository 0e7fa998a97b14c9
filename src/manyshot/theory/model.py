"""One layer of linear attention, in the merged form (Q, v) and with separate query, key and value matrices.

    Out = Z + (1/N) (Z Q Z') Z V',   f = (1/N) sum_j (z_q' Q z_j)(v' z_j) = z_q' Q S v,   S = (1/N) sum_j z_j z_j'

Z: the N = n+1 tokens, the query last with a blank label; Q: merged key-query matrix; V: value matrix; f: the prediction;
v: the last row of V, the only one the prediction reads. The query token attends to itself too, which is all there is when n = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from manyshot.theory.data import Prompts

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Hold a model, or a stack of them, in the merged form."""

    query_key: Float[Tensor, "*model dim dim"]
    """Q."""
    value: Float[Tensor, "*model dim"]
    """v, the last row of V."""


@dataclass(frozen=True, slots=True, eq=False)
class Separate:
    """Hold a model, or a stack of them, with its own query and key matrices: Q = W_q W_k'."""

    query: Float[Tensor, "*model dim rank"]
    key: Float[Tensor, "*model dim rank"]
    value: Float[Tensor, "*model dim"]


def merge(model: Separate) -> Merged:
    """Return the merged model that predicts the same."""
    return Merged(query_key=model.query @ model.key.mT, value=model.value)


def split_balanced(model: Merged) -> Separate:
    """Return the separate model that predicts the same, with W_q' W_q = W_k' W_k.

    Q = U S W' gives W_q = U S^(1/2), W_k = W S^(1/2): neither factor gets the larger gradient by the accident of a
    scale.
    """
    left, scale, right = torch.linalg.svd(model.query_key)
    root = scale.sqrt().unsqueeze(-2)
    return Separate(query=left * root, key=right.mT * root, value=model.value)


def attend(
    tokens: Float[Tensor, "prompt token dim"], query_key: Float[Tensor, "dim dim"], value: Float[Tensor, "dim dim"]
) -> Float[Tensor, "prompt token dim"]:
    """Run the whole layer, residual included: the definition, of which `predict` computes one number."""
    scores = tokens @ query_key @ tokens.mT
    return tokens + scores @ tokens @ value.mT / tokens.shape[-2]


def predict(model: Merged, prompts: Prompts) -> Float[Tensor, " prompt"]:
    """Return the prediction for each prompt with all its demonstrations."""
    return predict_prefixes(model, prompts)[:, -1]


def predict_prefixes(model: Merged, prompts: Prompts) -> Float[Tensor, "prompt shots"]:
    """Return the predictions with the first 0, 1, ..., n demonstrations, all from one pass.

    Attention is linear, so the prompt with k demonstrations is a running sum cut at k; only the 1/(k+1) in front
    changes.
    """
    dtype = prompts.query.dtype
    value = model.value.to(dtype)
    reach = prompts.query @ model.query_key.to(dtype)
    own = (reach * prompts.query).sum(-1) * (prompts.query @ value)
    given = torch.einsum("pji,pi->pj", prompts.context, reach) * (prompts.context @ value)
    total = torch.cumsum(torch.cat([own.unsqueeze(-1), given], dim=-1), dim=-1)
    return total / torch.arange(1, total.shape[-1] + 1, dtype=dtype)
