"""Options of this folder: which model, how it is loaded or made, and which of its parameters move."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Preset = Literal[
    "full",
    "value_only",
    "value_frozen",
    "qk_only",
    "qkv",
    "attention",
    "mlp",
    "lora",
    "lora_qv",
    "value_lora",
    "qk_lora",
    "qkv_lora",
    "attention_lora",
    "mlp_lora",
    "soft_prompt",
]
# fields of LoraConfig that follow from what is being done here
OWNED_LORA = ("task_type", "inference_mode", "peft_type", "base_model_name_or_path")


class ScratchOptions(BaseModel):
    """A model and a tokenizer made here, from nothing but the recipe's texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    architecture: str = "qwen3"
    """A `model_type` of transformers with a causal language model."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Fields of that architecture's config: hidden_size, num_hidden_layers, ..."""
    vocabulary: int = Field(default=8192, ge=300)
    """Pieces of the byte-level BPE tokenizer trained on the recipe's texts."""
    tokenizer_bytes: int = Field(default=20_000_000, ge=1000)
    """At most this much text is read to train the tokenizer."""


class ModelOptions(BaseModel):
    """The model to start from."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str | None = None
    """A Hugging Face or PEFT folder, or a name on the Hub."""
    scratch: ScratchOptions | None = None
    """Make a new model instead of loading one."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights; `auto` is float32 on a CPU and the stored one elsewhere."""
    attn_implementation: str | None = None
    """`sdpa`, `eager`, `flash_attention_2`, ...; null leaves the choice to transformers."""
    device_map: Any = None
    """As in `from_pretrained`."""
    quantization_config: dict[str, Any] | None = None
    """Fields of a bitsandbytes config, for LoRA on a quantised base."""
    trust_remote_code: bool = False
    """Run code that comes with the model. Off unless you say so."""

    @model_validator(mode="after")
    def _one_source(self) -> "ModelOptions":
        if (self.path is None) == (self.scratch is None):
            raise ValueError("give either path or scratch")
        return self


class TuningOptions(BaseModel):
    """Which parameters move."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    preset: Preset = "full"
    """The weights themselves: `full`, `value_only`, `qk_only`, `qkv` (projections of attention), `value_frozen` (all but the
    value projections), `attention` and `mlp` (whole layers). Low-rank adapters: `lora` on every linear layer, `lora_qv` on
    queries and values (rank 16, alpha 32, dropout .05), `value_lora`, `qk_lora`, `qkv_lora`, `attention_lora`, `mlp_lora`.
    `soft_prompt`: a prompt of embeddings before every row, the model frozen (first stage of ProMoT, arXiv 2211.00635)."""
    lora: dict[str, Any] = Field(default_factory=dict)
    """Any field of peft's LoraConfig: r, lora_alpha, lora_dropout, ...; target_modules only with the preset `lora`."""
    soft_prompt_tokens: int = Field(default=100, ge=1)
    """Length of the prompt that the preset `soft_prompt` trains."""
    soft_prompt_from: str | None = None
    """Stage whose prompt stands frozen before every row while this stage's parameters move (second stage of ProMoT), or a
    folder with soft_prompt.safetensors. The prompt is gone when the model is evaluated."""

    @field_validator("lora")
    @classmethod
    def _not_owned(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in OWNED_LORA:
            if key in value:
                raise ValueError(f'"{key}" is set by manyshot; leave it out')
        return value

    @model_validator(mode="after")
    def _one_prompt(self) -> "TuningOptions":
        if self.preset == "soft_prompt" and self.soft_prompt_from is not None:
            raise ValueError("soft_prompt_from is for the stage after the preset soft_prompt; give one of them")
        return self
