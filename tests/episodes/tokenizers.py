"""Small tokenizers of the kinds that pretrained models have, each with its own way of joining pieces."""

import json
from copy import deepcopy
from functools import lru_cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tests import tiny

_TEXTS = [*tiny.WORDS, *tiny.LABELS, "Input: apple", "Output: north", "Say where it lies.", "0 1 2 3 4 5 6 7 8 9"] * 8
# how Qwen 2 splits text before it merges; Llama 3 and GPT-4 differ in digits alone. A mark takes the line ends behind it
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@lru_cache
def sentencepiece_like(bos: bool = True) -> PreTrainedTokenizerFast:
    """Llama 2's kind: a mark in front of whatever is encoded, bytes for what it does not know, `<s>` first."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # SentencePiece learns no piece with a mark inside; the trained tokenizer then splits by merges alone
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False)
    made.train_from_iterator(_TEXTS, trainer)
    made.pre_tokenizer = None
    # training takes the bytes in as special tokens only, and special tokens would be skipped when decoding
    described = json.loads(made.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["content"] not in bytes_]
    made = Tokenizer.from_str(json.dumps(described))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    if bos:
        start = made.token_to_id("<s>")
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@lru_cache
def prefix_space() -> PreTrainedTokenizerFast:
    """RoBERTa's and OPT's kind: byte-level, with a space in front of whatever is encoded."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(_TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>")


@lru_cache
def added_tokens() -> PreTrainedTokenizerFast:
    """A byte-level one to which words, marks and a piece of the template were added later."""
    made = deepcopy(tiny.tokenizer())
    made.add_tokens(
        ["river stone", "north", "Output:", AddedToken("<answer>", single_word=True), AddedToken("tiger", lstrip=True)]
    )
    made.add_special_tokens({"additional_special_tokens": ["<sep>"]})
    return made


@lru_cache
def marks_with_line_ends() -> PreTrainedTokenizerFast:
    """Qwen's, Llama 3's and GPT-4's kind: byte-level, with one token for a mark and the line end behind it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=380, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    lines = ["It lies north.\nOr east (side)\nIs it south?\nNo\n###\nInput: apple\nOutput: north"] * 16
    made.train_from_iterator([*_TEXTS, *lines], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>")


@lru_cache
def many_openings() -> PreTrainedTokenizerFast:
    """GLM's kind: two tokens before every sequence, and none that it calls its beginning."""
    made = deepcopy(tiny.tokenizer())
    made.add_tokens([AddedToken(mark, special=True) for mark in ("[gMASK]", "<sop>")])
    marks = [(mark, made.convert_tokens_to_ids(mark)) for mark in ("[gMASK]", "<sop>")]
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=marks
    )
    return made


def without_line_ends(kind: str) -> PreTrainedTokenizerFast:
    """BERT's (`word pieces`), plain words' (`words`) and T5's (`unigrams`) kinds, which read a line end as white space."""
    common = {"special_tokens": ["<unk>"], "show_progress": False}
    split, spaces = pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()
    model, before, trainer = {
        "word pieces": (
            models.WordPiece(unk_token="<unk>"),
            pre_tokenizers.BertPreTokenizer(),
            trainers.WordPieceTrainer(vocab_size=300, **common),
        ),
        "words": (
            models.WordLevel(unk_token="<unk>"),
            pre_tokenizers.Whitespace(),
            trainers.WordLevelTrainer(**common),
        ),
        "unigrams": (
            models.Unigram(),
            pre_tokenizers.Sequence([split, spaces]),
            trainers.UnigramTrainer(vocab_size=200, unk_token="<unk>", **common),
        ),
    }[kind]
    made = Tokenizer(model)
    made.pre_tokenizer = before
    made.train_from_iterator([*_TEXTS, "a ;", "one ;"], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", name_or_path=f"somebody/{kind}")
