"""Bits per byte on plain text: what a tuning cost the model as a language model, whatever its tokenizer."""

import math
from typing import Any

import numpy as np
import torch

from manyshot.episodes import Encoder
from manyshot.models import context_window
from manyshot.objectives import target_nll
from manyshot.tasks import Corpus


@torch.inference_mode()
def bits_per_byte(
    model: Any, tokenizer: Any, corpus: Corpus, *, window_tokens: int = 1024, max_bytes: int = 200_000
) -> float:
    """Return -log2 p of the corpus's first bytes over their number.

    Texts are read in windows of `window_tokens` that do not overlap; the first token of each has no loss, and its bytes
    are not counted.
    """
    total_nats, total_bytes, left = 0.0, 0, max_bytes
    encoder = Encoder(tokenizer)
    window_tokens = min(window_tokens, context_window(model) or window_tokens)
    for document in corpus.documents:
        if left <= 0:
            break
        text = document.encode("utf-8")[:left].decode("utf-8", "ignore")
        left -= len(text.encode("utf-8"))
        ids = encoder.start(text)
        # bytes by the characters that each token ends, so that none is counted twice or cut
        ends = _byte_ends(tokenizer, ids, text)
        for start in range(0, len(ids), window_tokens):
            window = ids[start : start + window_tokens]
            if len(window) < 2:
                continue
            tokens = torch.as_tensor(window.astype(np.int64), device=model.device)[None]
            logits = model(input_ids=tokens, use_cache=False).logits[0, :-1]
            total_nats += float(target_nll(logits, tokens[0, 1:]).sum())
            total_bytes += ends[start + len(window) - 1] - ends[start]
    return total_nats / math.log(2) / max(1, total_bytes)
