"""Bits per byte on plain text: what a tuning cost the model as a language model, whatever its tokenizer."""

import math
from typing import Any

import numpy as np
import torch

from manyshot.episodes import Encoder
from manyshot.models import context_window, own_forward
from manyshot.objectives import target_nll
from manyshot.tasks import Corpus


@torch.inference_mode()
def bits_per_byte(
    model: Any, tokenizer: Any, corpus: Corpus, *, window_tokens: int = 1024, max_bytes: int = 200_000
) -> float:
    """Return -log2 p of the corpus's first bytes over their number.

    Each document follows the token that begins a sequence (or ends one, where none begins it), so all its tokens count.
    Windows overlap by the one token that the next is predicted from; `window_tokens` is at most the model's own window.
    """
    total_nats, total_bytes, left = 0.0, 0, max_bytes
    encoder = Encoder(tokenizer)
    window_tokens = min(window_tokens, context_window(model) or window_tokens)
    before = (
        np.array([tokenizer.eos_token_id], np.int32) if tokenizer.eos_token_id is not None else np.empty(0, np.int32)
    )
    for document in corpus.documents:
        if left <= 0:
            break
        text = document.encode("utf-8")[:left].decode("utf-8", "ignore")
        n_bytes = len(text.encode("utf-8"))
        left -= n_bytes
        ids = encoder.start(text)
        ids = ids if len(encoder.opening) else np.concatenate([before, ids])
        for start in range(0, len(ids) - 1, window_tokens - 1):
            window = ids[start : start + window_tokens]
            tokens = torch.as_tensor(window.astype(np.int64), device=model.device)[None]
            logits = own_forward(model)(input_ids=tokens, use_cache=False).logits[0, :-1]
            total_nats += float(target_nll(logits, tokens[0, 1:]).sum())
        total_bytes += n_bytes
    return total_nats / math.log(2) / max(1, total_bytes)
