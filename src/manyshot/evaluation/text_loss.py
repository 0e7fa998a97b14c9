"""Bits per byte on plain text: what a tuning cost the model as a language model, whatever its tokenizer."""

import math
from typing import Any

import numpy as np
import torch

from manyshot.episodes import Encoder
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
    for document in corpus.documents:
        if left <= 0:
            break
        text = document.encode("utf-8")[:left].decode("utf-8", "ignore")
        left -= len(text.encode("utf-8"))
        ids = encoder.start(text)
        for start in range(0, len(ids), window_tokens):
            window = ids[start : start + window_tokens]
            if len(window) < 2:
                continue
            tokens = torch.as_tensor(window.astype(np.int64), device=model.device)[None]
            logits = model(input_ids=tokens, use_cache=False).logits[0, :-1]
            total_nats += float(target_nll(logits, tokens[0, 1:]).sum())
            total_bytes += len(tokenizer.decode(window[1:].tolist()).encode("utf-8"))
    return total_nats / math.log(2) / max(1, total_bytes)
