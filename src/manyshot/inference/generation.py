"""Greedy text behind many prompts at once, in one row off a shared prefix, each until its stop text."""

from collections.abc import Collection, Sequence
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
    """Sum of log-probabilities of the generated tokens, in nats, what ended the text among them."""
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
    ends: Collection[int] = (),
) -> list[Generation]:
    """Return the greedy continuation of each prompt, each behind its node of the row (the prefix's end unless given).

    A text ends with the stop text, the tokenizer's end of sequence, or one of the token ids in `ends`.
    """
    ends_sequence = {tokenizer.eos_token_id, *ends}
    nodes, logits = row.append(
        [Chain(p, ids) for p, ids in zip(parents or [ROOT] * len(prompts), prompts, strict=True)]
    )
    ids: list[list[int]] = [[] for _ in prompts]
    logprobs = [0.0] * len(prompts)
    stopped = [False] * len(prompts)
    active = list(range(len(prompts)))
    for step in range(max_new_tokens):
        values, tokens = torch.log_softmax(logits.float(), dim=-1).max(dim=-1)
        for i, value, token in zip(list(active), values.tolist(), tokens.tolist(), strict=True):
            logprobs[i] += value
            ids[i].append(token)
            stopped[i] = token in ends_sequence or stop in tokenizer.decode(ids[i][-_TAIL_TOKENS:])
        going = [slot for slot, i in enumerate(active) if not stopped[i]]
        if not going or step == max_new_tokens - 1:
            break
        chains = [Chain(nodes[slot], np.array([ids[active[slot]][-1]])) for slot in going]
        active = [active[slot] for slot in going]
        nodes, logits = row.append(chains)
    # what ended the sequence is no part of the answer, and need not be a special token
    kept = [one[:-1] if one and one[-1] in ends_sequence else one for one in ids]
    texts = [tokenizer.decode(one).split(stop, 1)[0] for one in kept]
    return [Generation(texts[i], logprobs[i], len(ids[i]), stopped[i]) for i in range(len(prompts))]


def end_tokens(model: Any) -> tuple[int, ...]:
    """Return the token ids at which a model's own generation config ends a sequence: none, one, or a chat model's several."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return tuple(ids) if isinstance(ids, list | tuple) else (() if ids is None else (ids,))
