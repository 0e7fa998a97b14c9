"""Can this model's state be branched? Decided by a numeric check on the loaded model, never by its name."""

from typing import Any

import numpy as np
import torch

from manyshot.inference.prefix import ROOT, Chain, Prefix

# largest difference of logits between branched and re-encoded reading, in units of their spread
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
TOLERANCE_HALF = 0.5
# rotary embeddings whose angles depend on the sequence's length: a cached prefix and a fresh reading differ across it
LENGTH_DEPENDENT_ROPE = ("longrope", "dynamic")


def why_not_branched(model: Any, longest_tokens: int | None = None) -> str | None:
    """Return why queries cannot branch off a cached prefix of this model, or None when they can.

    Reads two short branches behind a short prefix both ways, in inference mode. A model whose layers keep a running
    state, or place attention by slot instead of position, fails and is read from the start instead.
    """
    if reason := _rope_crossing(model, longest_tokens):
        return reason
    vocabulary = model.config.get_text_config().vocab_size
    rng = np.random.default_rng(0)
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    n_prefix = window + 3 if isinstance(window, int) and window <= 64 else 9
    prefix = rng.integers(0, vocabulary, n_prefix)
    first, second, third = (rng.integers(0, vocabulary, n) for n in (5, 3, 2))
    try:
        read = []
        for cached in (True, False):
            shared = Prefix(model, cached=cached)
            shared.extend(prefix[: n_prefix // 2])
            shared.extend(prefix[n_prefix // 2 :])
            with shared.branch() as row:
                last, logits = row.append([Chain(ROOT, first), Chain(ROOT, second)], every=True)
                read.append(torch.cat([logits, row.append([Chain(last[0], third)], every=True)[1]]).float())
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, NotImplementedError) as error:
        # whatever a foreign model's own code says to a cache or mask it does not know; the reason goes to the user
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        return f"its cache cannot be branched ({words[:100].rstrip(': ')})"
    difference = (read[0] - read[1]).abs().max().item()
    tolerance = TOLERANCE.get(model.dtype, TOLERANCE_HALF) * max(1.0, read[1].std().item())
    if not difference <= tolerance:
        return f"branched and fresh reading differ by {difference:.2g} in the logits, {tolerance:.2g} allowed"
    return None


def _rope_crossing(model: Any, longest_tokens: int | None) -> str | None:
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kind = rope.get("rope_type") or rope.get("type")
    if kind not in LENGTH_DEPENDENT_ROPE:
        return None
    limit = (
        rope.get("original_max_position_embeddings")
        or getattr(config, "original_max_position_embeddings", None)
        or config.max_position_embeddings
    )
    if longest_tokens is not None and longest_tokens <= limit:
        return None
    return f"its rotary embedding ({kind}) changes with the length beyond {limit} tokens"
