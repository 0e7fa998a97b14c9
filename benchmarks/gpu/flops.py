"""Arithmetic of one training step of a decoder, from its config alone: what must be computed, not what was.

With P matrix parameters of the layers, L layers, h heads of d dimensions, T tokens a row, N tokens, V vocabulary, D hidden,
n targets; a multiplication with its addition is 2 FLOP, and a backward pass costs two forward ones:

    layers      6 P N
    attention   6 L h d T N        scores and values, 2 * 2 h d T a token a layer forward, half of it causal
    head        6 V D n            at target positions alone: logits elsewhere are no work that has to be done

Nothing is added for activations computed again, softmax, norms, rotary positions or the optimiser. The share of the peak
that follows is model FLOPs utilisation (PaLM, arXiv 2204.02311, appendix B) with a causal attention term.
"""

from typing import Any


def training_flops(config: Any, tokens_per_row: int, n_rows: int, n_targets: int) -> dict[str, float]:
    """Return FLOP of forward and backward over a batch, by part: layers, attention, head."""
    hidden, layers = config.hidden_size, config.num_hidden_layers
    width = config.num_attention_heads * config.head_dim
    narrow = config.num_key_value_heads * config.head_dim
    # q and o; k and v; gate, up and down
    matrices = layers * (2 * hidden * width + 2 * hidden * narrow + 3 * hidden * config.intermediate_size)
    n_tokens = tokens_per_row * n_rows
    return {
        "layers": 6.0 * matrices * n_tokens,
        "attention": 6.0 * layers * width * tokens_per_row * n_tokens,
        "head": 6.0 * config.vocab_size * hidden * n_targets,
    }
