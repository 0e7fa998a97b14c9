"""Tiny random models of real architectures, a small tokenizer, and made-up tasks, for tests in every folder."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from manyshot.models import train_tokenizer
from manyshot.tasks import Example, Task

WORDS = (
    "apple river stone cloud tiger lemon piano table green seven winter garden rocket silver candle forest "
    "window bridge mirror basket button castle pepper ticket violin walnut yellow zebra anchor blanket"
).split()
LABELS = ("north", "south", "east side")
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
_FIELDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", _SIZES),
    "mistral": ("mistral", {**_SIZES, "sliding_window": 40, "head_dim": 8}),
    "gemma2": ("gemma2", {**_SIZES, "sliding_window": 40, "head_dim": 8, "final_logit_softcapping": 5.0}),
    "qwen3": ("qwen3", {**_SIZES, "head_dim": 8}),
    "gemma3": ("gemma3_text", {**_SIZES, "num_hidden_layers": 6, "sliding_window": 40, "head_dim": 8}),
    "phi3": ("phi3", _SIZES),
    "gpt_neox": ("gpt_neox", {k: v for k, v in _SIZES.items() if k != "num_key_value_heads"}),
    "gpt2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 1024}),
    "olmo2": ("olmo2", _SIZES),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "gpt_neo": (
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 16,
            "max_position_embeddings": 1024,
        },
    ),
    "mamba2": (
        "mamba2",
        {"hidden_size": 32, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 16, "state_size": 8, "n_groups": 1},
    ),
}


@lru_cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 400 pieces that knows the words above."""
    texts = [" ".join(WORDS), " ".join(LABELS), "Input: apple\nOutput: north\nInput: river\nOutput: south\n"] * 4
    return train_tokenizer(texts, 400)


def model(architecture: str, attention: str | None = None, seed: int = 0) -> Any:
    """A random model whose norms, biases and embeddings are all away from their initial values."""
    kind, fields = _FIELDS[architecture]
    ends = {"pad_token_id": 1, "bos_token_id": None, "eos_token_id": 0}
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer()), **{**fields, **ends})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.08)
    return made.eval()


def word_task(name: str = "words", n_train: int = 60, n_test: int = 12, seed: int = 0, **fields: Any) -> Task:
    """Two random words -> one of three labels, by the first word's first letter."""
    rng = np.random.default_rng(seed)

    def example(i: int) -> Example:
        first, second = rng.choice(WORDS, 2)
        return Example(f"{first} {second} {i}", LABELS[ord(first[0]) % 3])

    examples = [example(i) for i in range(n_train + n_test)]
    settings: dict[str, Any] = {
        "family": "classification",
        "instruction": "Say where it lies.",
        "metric": "accuracy",
        "labels": LABELS,
        **fields,
    }
    return Task(name, train=examples[:n_train], test=examples[n_train:], **settings)


def copy_task(name: str = "copy", n_train: int = 40, n_test: int = 8, seed: int = 1) -> Task:
    """Free text: answer with the first word."""
    rng = np.random.default_rng(seed)
    rows = [Example(f"{a} {b} {i}", str(a)) for i, (a, b) in enumerate(rng.choice(WORDS, (n_train + n_test, 2)))]
    return Task(name, "qa", "Repeat the first word.", "exact_match", None, train=rows[:n_train], test=rows[n_train:])
