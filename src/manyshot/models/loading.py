"""Load a causal language model and its tokenizer from a folder or the Hub; say what was chosen. Pickles are never read."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from manyshot.errors import ModelError, nearest
from manyshot.models.options import ModelOptions

ADAPTER_FILE = "adapter_config.json"
BUNDLED = "bundled"
_BUNDLED_FOLDER = Path(__file__).parent / BUNDLED


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model, its tokenizer, and in words how it was loaded."""

    model: Any
    tokenizer: Any
    notes: tuple[str, ...]


def load_model(options: ModelOptions | str | Path) -> LoadedModel:
    """Load the model and tokenizer at a Hugging Face folder, a PEFT folder or a Hub name; `bundled` is the small model that
    comes with the package.

    Weights in safetensors only. A PEFT folder's base is taken from where its config says, and the adapter stays apart, so
    that it can be switched off. Raises ModelError where nothing can be loaded, with what to do about it.
    """
    if not isinstance(options, ModelOptions):
        options = ModelOptions(path=str(options))
    path = options.path
    if path is None:
        raise ModelError("model.path is missing; give a folder or a Hub name")
    folder = _local(path)
    if folder.exists():
        _check_folder(folder)
        path = str(folder)
    elif path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise ModelError(f"{path}: no such folder; give the folder of a model, or its name on the Hub")
    base_path = _adapter_base(folder) if folder.exists() else None
    dtype = _dtype(options)
    common: dict[str, Any] = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(_tokenizer_place(folder, path, base_path), **common)
        model: Any = AutoModelForCausalLM.from_pretrained(
            base_path or path,
            dtype=dtype,
            attn_implementation=options.attn_implementation,
            device_map=options.device_map,
            quantization_config=BitsAndBytesConfig(**options.quantization_config)
            if options.quantization_config
            else None,
            use_safetensors=True,
            **common,
        )
        if base_path is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, path, is_trainable=True)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(_explain(path, folder.exists(), error)) from None
    if options.device_map is None and torch.cuda.is_available():
        model.to("cuda")
    config = model.config.get_text_config()
    notes = [
        f"model {path}: {config.model_type}, {count_parameters(model) / 1e6:.2f}M parameters, {model.dtype}, "
        f"attention {config._attn_implementation}, on {model.device}"
    ]
    if base_path is not None:
        notes.append(f"adapter of {path} on base {base_path}")
    return LoadedModel(model.eval(), tokenizer, tuple(notes))


def load_tokenizer(path: str | Path, options: ModelOptions | None = None) -> Any:
    """Load the tokenizer alone, of a model folder, a PEFT folder or a Hub name."""
    options = options or ModelOptions(path=str(path))
    folder = _local(str(path))
    if folder.exists():
        _check_folder(folder)
    base_path = _adapter_base(folder) if folder.exists() else None
    place = _tokenizer_place(folder, str(folder if folder.exists() else path), base_path)
    try:
        return AutoTokenizer.from_pretrained(
            place, revision=options.revision, trust_remote_code=options.trust_remote_code
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(_explain(str(path), folder.exists(), error)) from None


def count_parameters(model: Any) -> int:
    """Return the number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())


def own_forward(model: Any) -> Any:
    """Return what runs the model in the precision of its weights.

    A Trainer with bf16 or fp16 leaves autocast wrapped around the model's forward, also after training. Scores read through it
    would be half-precision ones of a float32 model.
    """
    return getattr(model, "_original_forward", model)


def context_window(model: Any) -> int | None:
    """Return the longest sequence, in tokens, that the model was made for; None where it does not say."""
    config = model.config.get_text_config()
    return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)


def _local(path: str) -> Path:
    """Return the folder that a path or the bundled model's name stands for; it need not exist."""
    here = Path(path).expanduser()
    return _BUNDLED_FOLDER if path == BUNDLED and not here.exists() else here


def _check_folder(folder: Path) -> None:
    known = ("config.json", ADAPTER_FILE, "tokenizer_config.json")
    if not any((folder / name).is_file() for name in known):
        raise ModelError(
            f"{folder}: no model here (none of {', '.join(known)}); give the folder that save_pretrained wrote"
        )


def _adapter_base(folder: Path) -> str | None:
    place = folder / ADAPTER_FILE
    if not place.is_file():
        return None
    if not (folder / "adapter_model.safetensors").is_file():
        raise ModelError(f"{folder}: adapter_model.safetensors is missing; adapters in other formats are not read")
    try:
        base = json.loads(place.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str):
        raise ModelError(
            f"{place}: names no base model (base_model_name_or_path); save the adapter again with its base"
        )
    return base


def _tokenizer_place(folder: Path, path: str, base_path: str | None) -> str:
    if base_path is None or (folder / "tokenizer_config.json").is_file():
        return path
    return base_path


def _dtype(options: ModelOptions) -> Any:
    if options.dtype == "auto":
        return "auto" if torch.cuda.is_available() else torch.float32
    return getattr(torch, options.dtype)


def _explain(path: str, local: bool, error: Exception) -> str:
    line = _one_line(error)
    if local:
        return f"{path}: cannot be loaded ({line})"
    offline = " HF_HUB_OFFLINE is set, so only what is already downloaded can be used;" if _offline() else ""
    return (
        f'"{path}" is neither a folder here nor could it be fetched from the Hub:{offline} check the name and the network, '
        f"or give the folder of a downloaded model ({line[:120]})"
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def make_config(architecture: str, fields: dict[str, Any], **also: Any) -> Any:
    """Return a config of an architecture; unknown architectures are named."""
    if architecture not in CONFIG_MAPPING:
        raise ModelError(
            f'model.scratch.architecture "{architecture}" is no model_type of transformers{nearest(architecture, CONFIG_MAPPING)}'
        )
    try:
        return AutoConfig.for_model(architecture, **{**also, **fields})
    except (ValueError, TypeError, StrictDataclassError) as error:
        raise ModelError(f"model.scratch.config does not fit {architecture} ({_one_line(error)})") from None
