"""Where an architecture keeps query, key, value, output and MLP: modules, and for a fused matrix its outputs.

    separate    q_proj, k_proj, v_proj, o_proj             Llama, Mistral, Gemma, Qwen, OLMo
    phi3        qkv_proj          [ q | k | v ]            grouped: k and v are shorter than q
    gpt2        c_attn            [ q | k | v ]            stored (input, output)
    gpt_neox    query_key_value   [ q1 k1 v1 q2 k2 v2 ..]  head by head

An architecture that is in none of these is refused by name: a guess could move other numbers than the preset says.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from manyshot.errors import ModelError

SEPARATE = {"q": "q_proj", "k": "k_proj", "v": "v_proj"}
# names that the output projection of attention has beside q_proj, k_proj and v_proj, or beside a fused matrix
OUTPUT = ("o_proj", "out_proj", "dense", "c_proj")
MLP = "mlp"
Outputs = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Part:
    """A linear module, and which of its outputs are meant."""

    name: str
    """From the model's root."""
    module: Any
    outputs: torch.Tensor | None = None
    """(chosen,) int64; None means all of them."""

    @property
    def n_outputs(self) -> int:
        """Number of outputs of the module."""
        return int(self.module.weight.shape[output_axis(self.module)])


def output_axis(module: Any) -> int:
    """Return the axis of a module's weight that counts its outputs: 0 of a Linear, 1 of GPT-2's Conv1D."""
    return 1 if type(module).__name__ == "Conv1D" else 0


def projections(model: Any, which: Iterable[str]) -> list[Part]:
    """Return the projections `q`, `k`, `v`, `o` of every attention layer, a fused matrix with the outputs of each.

    Raises ModelError, with the architecture's name, where they cannot be told apart.
    """
    wanted, kind = list(which), _kind(model)
    found: list[Part] = []
    for name, module in attention_layers(model):
        fused = _FUSED.get(kind)
        inner = [letter for letter in wanted if letter != "o"]
        if hasattr(module, SEPARATE["v"]):
            found += [Part(f"{name}.{SEPARATE[letter]}", getattr(module, SEPARATE[letter])) for letter in inner]
        elif fused is not None:
            matrix, outputs_of = getattr(module, fused[0]), fused[1](model.config.get_text_config())
            if len(inner) == len(SEPARATE):
                found.append(Part(f"{name}.{fused[0]}", matrix))
            elif inner:
                outputs = torch.cat([outputs_of[letter] for letter in inner]).sort().values
                found.append(Part(f"{name}.{fused[0]}", matrix, outputs))
        if "o" in wanted:
            found.append(_output_projection(name, module, kind))
    return found


def attention_layers(model: Any) -> list[tuple[str, Any]]:
    """Return the attention modules of the text decoder, with their names from the model's root."""
    kind = _kind(model)
    fused = _FUSED[kind][0] if kind in _FUSED else None
    layers = [
        (name, module)
        for name, module in _decoder_modules(model)
        if all(hasattr(module, child) for child in SEPARATE.values()) or (fused is not None and hasattr(module, fused))
    ]
    if not layers:
        raise ModelError(
            f"{kind}: no layer with {', '.join(SEPARATE.values())}, and no fused matrix of it is known; tune with full or "
            "lora, or give lora.target_modules"
        )
    return layers


def mlp_layers(model: Any) -> list[tuple[str, Any]]:
    """Return the feed-forward modules of the text decoder, with their names from the model's root."""
    layers = [(name, module) for name, module in _decoder_modules(model) if name.rsplit(".", 1)[-1] == MLP]
    if not layers:
        raise ModelError(
            f'{_kind(model)}: no module is called "{MLP}"; tune with full or lora, or give lora.target_modules'
        )
    return layers


def linear_parts(layers: Iterable[tuple[str, Any]]) -> list[Part]:
    """Return every linear module in these layers."""
    return [
        Part(f"{name}.{inner}", child)
        for name, module in layers
        for inner, child in module.named_modules()
        if isinstance(child, torch.nn.Linear) or type(child).__name__ == "Conv1D"
    ]


def _decoder_modules(model: Any) -> Iterator[tuple[str, Any]]:
    # a model that also sees pictures has layers of the same names there
    decoder = model.get_decoder()
    inside = {id(module) for module in decoder.modules()}
    return ((name, module) for name, module in model.named_modules() if id(module) in inside)


def _output_projection(name: str, module: Any, kind: str) -> Part:
    for child in OUTPUT:
        if hasattr(module, child):
            return Part(f"{name}.{child}", getattr(module, child))
    raise ModelError(f"{kind}: {name} has no output projection of a known name ({', '.join(OUTPUT)})")


def _kind(model: Any) -> str:
    return model.config.get_text_config().model_type


def _one_after_another(config: Any) -> Outputs:
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    n_kv = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    ends = torch.tensor([config.num_attention_heads, n_kv, n_kv]).mul(head).cumsum(0).tolist()
    starts = [0, *ends[:2]]
    return {letter: torch.arange(a, b) for letter, a, b in zip(SEPARATE, starts, ends, strict=True)}


def _head_by_head(config: Any) -> Outputs:
    n_heads = config.num_attention_heads
    grid = torch.arange(3 * config.hidden_size).view(n_heads, 3, config.hidden_size // n_heads)
    return {letter: grid[:, i].flatten() for i, letter in enumerate(SEPARATE)}


# model_type -> the fused matrix's name, and its outputs by letter
_FUSED: dict[str, tuple[str, Callable[[Any], Outputs]]] = {
    "phi3": ("qkv_proj", _one_after_another),
    "gpt2": ("c_attn", _one_after_another),
    "gpt_neox": ("query_key_value", _head_by_head),
}
