"""Tuning presets: which parameters move. Names resolve per architecture, or are refused by name.

Full updates move the weights themselves, LoRA presets low-rank adapters beside them. A part of a fused matrix is sliced
exactly: its other rows stay bit for bit the same (models/held.py), in the matrix itself or in the adapter's B, which starts
at zero. What comes out is an ordinary model or an ordinary PEFT adapter.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from manyshot.errors import ModelError, nearest
from manyshot.models.held import hold_rows
from manyshot.models.options import TuningOptions
from manyshot.models.parts import Part, attention_layers, linear_parts, mlp_layers, output_axis, projections
from manyshot.models.soft_prompt import attach_prompt, load_prompt, new_prompt

# fields of LoraConfig that would move rows beside those of the preset
_MOVES_OTHER_ROWS = {"use_dora": False, "bias": "none", "lora_bias": False, "init_lora_weights": True}


@dataclass(frozen=True, slots=True)
class Preset:
    """What a preset's name stands for."""

    parts: str
    """`all`, `all but v`, `attention`, `mlp`, `none`, or letters among q, k, v."""
    lora: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    """Of LoraConfig, where they differ from rank 16, alpha = 2 ranks, no dropout."""


PRESETS: dict[str, Preset] = {
    "full": Preset("all"),
    "value_only": Preset("v"),
    "value_frozen": Preset("all but v"),
    "qk_only": Preset("qk"),
    "qkv": Preset("qkv"),
    "attention": Preset("attention"),
    "mlp": Preset("mlp"),
    "lora": Preset("all", lora=True),
    # the low-forgetting default of the second source: rank 16, alpha 32, dropout .05, on queries and values
    "lora_qv": Preset("qv", lora=True, fields={"lora_dropout": 0.05}),
    "value_lora": Preset("v", lora=True),
    "qk_lora": Preset("qk", lora=True),
    "qkv_lora": Preset("qkv", lora=True),
    "attention_lora": Preset("attention", lora=True),
    "mlp_lora": Preset("mlp", lora=True),
    "soft_prompt": Preset("none"),
}


@dataclass(frozen=True, slots=True)
class TunedModel:
    """A model whose right parameters require gradients."""

    model: Any
    n_trained: int
    """Numbers that move; held rows of a fused matrix do not count."""
    n_parameters: int

    def __str__(self) -> str:
        return f"{self.n_trained:,} of {self.n_parameters:,} parameters move ({self.n_trained / self.n_parameters:.2%})"


def prepare_tuning(model: Any, options: TuningOptions, seed: int = 0, tasks: Sequence[str] | None = None) -> TunedModel:
    """Switch on the gradients that the preset names; a LoRA preset wraps the model in adapters drawn from `seed`.

    `tasks` names those that the rows number from 0, where each is to have a soft prompt of its own; without it one prompt
    serves all. Raises ModelError where the architecture has no such parameters, a LoRA field is unknown, or a task has no
    prompt.
    """
    preset = PRESETS[options.preset]
    if preset.lora:
        model, held = _add_lora(model, options.preset, preset, options.lora, seed)
    else:
        if options.lora:
            raise ModelError(f'tuning.lora is given but tuning.preset is "{options.preset}"; set the preset to lora')
        if hasattr(model, "peft_config"):
            raise ModelError(
                "the model is an adapter on a base; merge it first (merge_and_unload), or tune with lora, not "
                f"{options.preset}"
            )
        held = _move(model, options.preset, preset)
    if options.preset == "soft_prompt" or options.soft_prompt_from is not None:
        _put_prompts(model, options, seed, tasks)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) - held
    return TunedModel(model, trained, sum(p.numel() for p in model.parameters()))


def _put_prompts(model: Any, options: TuningOptions, seed: int, tasks: Sequence[str] | None) -> None:
    if tasks is not None and not tasks:
        raise ModelError(
            "tuning: the stage trains no task, and plain text is read without a soft prompt; leave the prompt out, or name "
            "tasks in data.tasks"
        )
    if options.soft_prompt_from is None:
        values = new_prompt(model, options.soft_prompt_tokens, seed, 1 if tasks is None else len(tasks))
        attach_prompt(model, values, moves=True, tasks=tasks or ())
        return
    prompts = load_prompt(options.soft_prompt_from)
    if tasks is not None:
        prompts = prompts.of(tasks, options.soft_prompt_from)
    attach_prompt(model, prompts.values.to(model.device), moves=False, tasks=prompts.tasks)


def _move(model: Any, name: str, preset: Preset) -> int:
    """Let the preset's own weights move; return how many numbers of them are held all the same."""
    if preset.parts in ("all", "none"):
        model.requires_grad_(preset.parts == "all")
        return 0
    if preset.parts in ("attention", "mlp"):
        # norms and biases in the layers move too
        layers = _resolve(name, lambda: _layers(model, preset.parts))
        model.requires_grad_(False)
        for _, module in layers:
            module.requires_grad_(True)
        return 0
    if preset.parts == "all but v":
        return _freeze(model, _resolve(name, lambda: projections(model, "v")))
    parts = _resolve(name, lambda: projections(model, preset.parts))
    model.requires_grad_(False)
    for part in parts:
        part.module.requires_grad_(True)
    return hold_rows([one for part in parts for one in _others(part, part.module)])


def _freeze(model: Any, parts: Sequence[Part]) -> int:
    """Let everything move but these parts; return how many numbers are held within matrices that move."""
    model.requires_grad_(True)
    for part in parts:
        part.module.requires_grad_(part.outputs is not None)
    return hold_rows([one for p in parts if p.outputs is not None for one in _rows_of(p.module, p.outputs)])


def _add_lora(model: Any, name: str, preset: Preset, fields: dict[str, Any], seed: int) -> tuple[Any, int]:
    from peft import LoraConfig, get_peft_model

    known = inspect.signature(LoraConfig).parameters
    for key in fields:
        if key not in known:
            raise ModelError(f'tuning.lora has no field "{key}"{nearest(key, known)}')
    if hasattr(model, "peft_config"):
        return _go_on_with_adapter(model, name, preset, fields)
    rank = fields.get("r", 16)
    # alpha = 2r on all linear layers: arXiv 2405.09673
    settings = {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, **preset.fields, **fields}
    parts: Sequence[Part] = []
    if preset.parts == "all":
        settings.setdefault("target_modules", "all-linear")
    else:
        if "target_modules" in fields:
            raise ModelError(f"tuning.lora.target_modules follows from the preset {name}; leave it out, or use lora")
        parts = _lora_parts(model, name, preset)
        settings["target_modules"] = _short_names(model, [part.name for part in parts])
        if any(part.outputs is not None for part in parts):
            _refuse_other_rows(model, name, settings)
    try:
        # adapters that depend on nothing but the seed, so that a resumed run starts at the same ones
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
    except (ValueError, TypeError) as error:
        raise ModelError(f"tuning.lora does not fit this model ({str(error).splitlines()[0]})") from None
    return model, _hold_adapter_rows(model, parts)


def _go_on_with_adapter(model: Any, name: str, preset: Preset, fields: dict[str, Any]) -> tuple[Any, int]:
    if fields:
        raise ModelError(
            "the model has an adapter already, with its own settings; leave tuning.lora empty to go on with it"
        )
    if preset.parts == "all":
        return model, 0
    base = model.get_base_model()
    parts = [
        # where the layer stands, and not the adapter's wrapper around it
        Part(part.name.removesuffix(".base_layer"), getattr(part.module, "base_layer", part.module), part.outputs)
        for part in _lora_parts(base, name, preset)
        if ".lora_" not in part.name
    ]
    adapted = {n for n, m in base.named_modules() if hasattr(m, "lora_B")}
    wanted = {part.name for part in parts}
    if adapted != wanted:
        raise ModelError(
            f"the model's adapter stands on {len(adapted)} modules and tuning.preset {name} means {len(wanted)} others; "
            "merge the adapter first (merge_and_unload), or use lora to go on with it as it is"
        )
    return model, _hold_adapter_rows(model, parts)


def _lora_parts(model: Any, name: str, preset: Preset) -> list[Part]:
    if preset.parts in ("attention", "mlp"):
        return linear_parts(_resolve(name, lambda: _layers(model, preset.parts)))
    return _resolve(name, lambda: projections(model, preset.parts))


def _layers(model: Any, which: str) -> list[tuple[str, Any]]:
    return attention_layers(model) if which == "attention" else mlp_layers(model)


def _resolve(name: str, find: Any) -> Any:
    try:
        return find()
    except ModelError as error:
        raise ModelError(f"tuning.preset {name}: {error}") from None


def _hold_adapter_rows(model: Any, parts: Sequence[Part]) -> int:
    """Hold the rows of each adapter's B (output, rank) that stand for other outputs than the part's."""
    modules = dict(model.get_base_model().named_modules()) if parts else {}
    chosen = [
        one
        for part in parts
        for inner in getattr(modules[part.name], "lora_B", {}).values()
        for one in _others(part, inner)
    ]
    return hold_rows(chosen)


def _others(part: Part, module: Any) -> list[tuple[Any, torch.Tensor, int]]:
    """Return (parameter, rows, axis) of what the part does not mean in each parameter of a module."""
    if part.outputs is None:
        return []
    others = torch.ones(part.n_outputs, dtype=torch.bool)
    others[part.outputs] = False
    rows = others.nonzero().flatten()
    return _rows_of(module, rows)


def _rows_of(module: Any, rows: torch.Tensor) -> list[tuple[Any, torch.Tensor, int]]:
    """Return (parameter, rows, axis) of these outputs in each parameter of a module."""
    return [(p, rows, output_axis(module) if p.dim() > 1 else 0) for p in module.parameters()]


def _short_names(model: Any, names: Sequence[str]) -> list[str]:
    """Return the shortest endings that mean exactly these modules, as PEFT matches them; they go into the saved config."""
    every, wanted = [name for name, _ in model.named_modules()], set(names)
    for n_words in (1, 2):
        endings = sorted({".".join(name.split(".")[-n_words:]) for name in names})
        if {n for n in every if any(n == e or n.endswith(f".{e}") for e in endings)} == wanted:
            return endings
    return list(names)


def _refuse_other_rows(model: Any, name: str, settings: dict[str, Any]) -> None:
    kind = model.config.get_text_config().model_type
    for key, only in _MOVES_OTHER_ROWS.items():
        if settings.get(key, only) != only:
            raise ModelError(
                f"tuning.lora.{key} is {settings[key]!r}: {kind} keeps query, key and value in one matrix, and {name} would "
                f"no longer leave the others as they are; leave {key} out, or use lora"
            )
