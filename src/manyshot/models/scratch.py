"""A new model with its own byte-level BPE tokenizer, from texts. For small models that are trained from nothing."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from manyshot.errors import ModelError
from manyshot.models.loading import LoadedModel, count_parameters, make_config
from manyshot.models.options import ScratchOptions

END = "<|end|>"
PAD = "<|pad|>"
# a small model unless the recipe says otherwise: about 3.5M parameters besides the embedding
_SMALL = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}


def train_tokenizer(texts: Iterable[str], vocabulary: int, max_bytes: int | None = None) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of `vocabulary` pieces. It has an end and a padding token and adds neither by itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_up_to(texts, max_bytes), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )


def make_model(options: ScratchOptions, texts: Iterable[str], seed: int) -> LoadedModel:
    """Make tokenizer and randomly initialised float32 model; the same texts and seed give the same both."""
    tokenizer = train_tokenizer(texts, options.vocabulary, options.tokenizer_bytes)
    config = make_config(
        options.architecture,
        {**_SMALL, **options.config},
        vocab_size=len(tokenizer),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ModelError(
                f'no causal language model "{options.architecture}" can be made ({str(error).splitlines()[0][:160]})'
            ) from None
    if torch.cuda.is_available():
        model.to("cuda")
    return LoadedModel(
        model.eval(),
        tokenizer,
        (
            f"new {options.architecture} model, {count_parameters(model) / 1e6:.2f}M parameters, "
            f"vocabulary {len(tokenizer)}",
        ),
    )


def _up_to(texts: Iterable[str], max_bytes: int | None) -> Iterator[str]:
    left = max_bytes
    for text in texts:
        if left is None:
            yield text
            continue
        data = text.encode("utf-8")[:left]
        left -= len(data)
        yield data.decode("utf-8", "ignore")
        if left <= 0:
            return
