"""Terms that hold a tuned model to where it started. Tensors in, never a model.

With p the tuned model, p_0 its start, t the step of T (from 0) and w_t a term's weight under its schedule:

    kl_input       w_t / |I| sum_{i in I} KL(p(.|x_<i) || p_0(.|x_<i))    I: a choice of input positions
    kl_icl         w_t / |A| sum_{i in A} KL(p_0(.|x_<i) || p(.|x_<i))    A: answers of general rows
    l2_sp          w_t sum_j (theta_j - theta_0j)^2                       parameters that move
    few_shot_aux   L_zero_shot + w_t L_few_shot

Every mean is over the global batch, so splitting a batch leaves the gradient unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from manyshot.objectives.loss import in_chunks
from manyshot.objectives.options import KlInputOptions, TermOptions
from manyshot.objectives.weighing import target_spans

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

# what a scope's targets answer to: prompts are inputs also where they are trained
_ANSWERS = {"all_tokens": "all_answers", "last_example": "last_answer"}


def kl_divergence(
    p_logits: Float[Tensor, "position vocab"],
    q_logits: Float[Tensor, "position vocab"],
    chunk_positions: int | None = None,
) -> Float[Tensor, " position"]:
    """Return KL(p || q) of each position in nats, in float32 whatever the dtype of the logits.

    `chunk_positions` bounds the memory of the float32 copies, which the backward pass makes again; by default it acts
    above 2^27 logits only.
    """
    return in_chunks(_kl, p_logits, q_logits, chunk_positions)


def _kl(p_logits: Float[Tensor, "position vocab"], q_logits: Float[Tensor, "position vocab"]) -> Tensor:
    log_p, log_q = F.log_softmax(p_logits.float(), -1), F.log_softmax(q_logits.float(), -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def squared_distance(pairs: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the sum of (theta - theta_0)^2 over pairs of tensors (now, at the start)."""
    return torch.stack([(now - start).square().sum() for now, start in pairs]).sum()


def zero_and_few_shot(
    weighed_nll: Float[Tensor, " target"],
    has_shots: Bool[Tensor, " target"],
    denominators: tuple[float, float],
    few_shot_weight: float,
) -> Tensor:
    """Return L_zero_shot + w L_few_shot; a kind that the batch does not have adds nothing."""
    zero, few = weighed_nll[~has_shots].sum(), weighed_nll[has_shots].sum()
    return zero / (denominators[0] or 1.0) + few_shot_weight * few / (denominators[1] or 1.0)


def scheduled_weight(term: TermOptions, step: int, n_steps: int) -> float:
    """Return a term's weight at a step, from 0 to n_steps - 1."""
    if term.schedule == "constant" or n_steps < 2:
        return term.weight
    passed = min(max(step, 0), n_steps - 1) / (n_steps - 1)
    return term.weight * (1 - passed if term.schedule == "falling" else passed)


def input_positions(
    ids: np.ndarray, bounds: np.ndarray, n_targets: int, scope: str, options: KlInputOptions
) -> np.ndarray:
    """Return where a row's inputs are predicted: (token,) bool; position t predicts token t + 1.

    Inputs are what stands before and between the answers that the scope trains. The choice follows from the row's own
    tokens, so that it depends on no worker, rank or resumption.
    """
    is_input = np.ones(len(ids), bool)
    for start, end, _ in target_spans(bounds, _ANSWERS.get(scope, scope)):
        is_input[start:end] = False
    candidates = np.flatnonzero(is_input[1:])
    if options.positions == "as_targets" and n_targets < len(candidates):
        seed = zlib.crc32(np.ascontiguousarray(ids, np.int64).tobytes())
        candidates = np.random.default_rng(seed).choice(candidates, n_targets, replace=False)
    chosen = np.zeros(len(ids), bool)
    chosen[candidates] = True
    return chosen


def answer_positions(bounds: np.ndarray, n_tokens: int) -> np.ndarray:
    """Return where a row's answers are predicted: (token,) bool; position t predicts token t + 1."""
    chosen = np.zeros(n_tokens, bool)
    for start, end, _ in target_spans(bounds, "all_answers"):
        chosen[start - 1 : end - 1] = True
    return chosen
