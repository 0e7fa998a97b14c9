"""Greedy text behind many prompts at once, in one row off a shared prefix, each until its stop text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from manyshot.inference.prefix import ROOT, Chain, Row

# the stop text is looked for in the last tokens only; it never spans more
_TAIL_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Generation:
    """One generated answer."""

    text: str
    """Up to, not including, the stop text."""
    logprob: float
    """Sum of log-probabilities of the generated tokens, in nats."""
    n_tokens: int
    stopped: bool
    """False where the limit on tokens cut it off."""


def generate(
    row: Row,
    prompts: Sequence[np.ndarray],
    tokenizer: Any,
    *,
    stop: str,
    max_new_tokens: int,
    parents: Sequence[int] | None = None,
) -> list[Generation]:
    """Return the greedy continuation of each prompt, each behind its node of the row (the prefix's end unless given)."""
    ends, logits = row.append([Chain(p, ids) for p, ids in zip(parents or [ROOT] * len(prompts), prompts, strict=True)])
    ids: list[list[int]] = [[] for _ in prompts]
    logprobs = [0.0] * len(prompts)
    stopped = [False] * len(prompts)
    active = list(range(len(prompts)))
    for step in range(max_new_tokens):
        values, tokens = torch.log_softmax(logits.float(), dim=-1).max(dim=-1)
        for i, value, token in zip(list(active), values.tolist(), tokens.tolist(), strict=True):
            logprobs[i] += value
            ids[i].append(token)
            stopped[i] = token == tokenizer.eos_token_id or stop in tokenizer.decode(ids[i][-_TAIL_TOKENS:])
        going = [slot for slot, i in enumerate(active) if not stopped[i]]
        if not going or step == max_new_tokens - 1:
            break
        chains = [Chain(ends[slot], np.array([ids[active[slot]][-1]])) for slot in going]
        active = [active[slot] for slot in going]
        ends, logits = row.append(chains)
    return [
        Generation(_text(tokenizer, ids[i], stop), logprobs[i], len(ids[i]), stopped[i]) for i in range(len(prompts))
    ]


def _text(tokenizer: Any, ids: list[int], stop: str) -> str:
    if ids and ids[-1] == tokenizer.eos_token_id:
        ids = ids[:-1]
    return tokenizer.decode(ids).split(stop, 1)[0]
