"""Tuning presets: which parameters move. Names resolve per architecture, or are refused by name."""

from dataclasses import dataclass
from typing import Any

from manyshot.errors import ModelError, nearest
from manyshot.models.options import TuningOptions

VALUE_PROJECTION = "v_proj"
# architectures that keep query, key and value in one matrix: its value rows are not a module of their own
FUSED = {"phi3": "qkv_proj", "gpt_neox": "query_key_value", "gpt2": "c_attn"}


@dataclass(frozen=True, slots=True)
class TunedModel:
    """A model whose right parameters require gradients."""

    model: Any
    n_trained: int
    n_parameters: int

    def __str__(self) -> str:
        return f"{self.n_trained:,} of {self.n_parameters:,} parameters move ({self.n_trained / self.n_parameters:.2%})"


def prepare_tuning(model: Any, options: TuningOptions) -> TunedModel:
    """Switch on the gradients that the preset names; `lora` wraps the model in adapters.

    Raises ModelError where the architecture has no such parameters, or a LoRA field is unknown.
    """
    if options.preset == "lora":
        model = _add_lora(model, options.lora)
    elif options.lora:
        raise ModelError(f'tuning.lora is given but tuning.preset is "{options.preset}"; set the preset to lora')
    elif options.preset == "full":
        _merge_refused(model, "full")
        model.requires_grad_(True)
    else:
        _merge_refused(model, "value_only")
        _only_values(model)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return TunedModel(model, trained, sum(p.numel() for p in model.parameters()))


def _merge_refused(model: Any, preset: str) -> None:
    if hasattr(model, "peft_config"):
        raise ModelError(
            f"the model is an adapter on a base; merge it first (merge_and_unload), or tune with lora, not {preset}"
        )


def _add_lora(model: Any, fields: dict[str, Any]) -> Any:
    import inspect

    from peft import LoraConfig, get_peft_model

    if hasattr(model, "peft_config"):
        if fields:
            raise ModelError(
                "the model has an adapter already, with its own settings; leave tuning.lora empty to go on with it"
            )
        return model
    known = inspect.signature(LoraConfig).parameters
    for key in fields:
        if key not in known:
            raise ModelError(f'tuning.lora has no field "{key}"{nearest(key, known)}')
    rank = fields.get("r", 16)
    # alpha = 2r on all linear layers: arXiv 2405.09673
    settings = {"r": rank, "lora_alpha": 2 * rank, "lora_dropout": 0.0, "target_modules": "all-linear", **fields}
    try:
        return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))
    except (ValueError, TypeError) as error:
        raise ModelError(f"tuning.lora does not fit this model ({str(error).splitlines()[0]})") from None


def _only_values(model: Any) -> None:
    kind = model.config.get_text_config().model_type
    if kind in FUSED:
        raise ModelError(
            f"tuning.preset value_only: {kind} keeps query, key and value in one matrix ({FUSED[kind]}); use lora or full"
        )
    chosen = [p for name, p in model.named_parameters() if f".{VALUE_PROJECTION}." in name]
    if not chosen:
        raise ModelError(
            f"tuning.preset value_only: no parameter of {kind} is called {VALUE_PROJECTION}; use lora or full"
        )
    model.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)
