"""`manyshot doctor`: what is installed, what the machine has, and what training and scoring would use here."""

import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

PACKAGES = "manyshot torch transformers peft accelerate datasets tokenizers safetensors numpy".split()
# extra -> (module, what it is for)
EXTRAS = {
    "datasets": ("datasets", "hub: sources, to_icl_format"),
    "pyarrow": ("pyarrow", "parquet files"),
    "bm25s": ("bm25s", "bm25 demonstrations"),
    "openai": ("openai", "endpoints"),
    "bitsandbytes": ("bitsandbytes", "model.quantization_config"),
    "flash-attn": ("flash_attn", "model.attn_implementation flash_attention_2"),
    "trl": ("trl", "training the exported rows elsewhere"),
    "lm-eval": ("lm_eval", "checking scores with another tool"),
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a page.")] = False,
) -> None:
    """Say what is installed and what this machine can do, and which number formats and attention would be used."""
    import json

    from manyshot.cli.console import console, quiet_libraries, say

    quiet_libraries()
    found = survey()
    if as_json:
        console.out(json.dumps(found, indent=1))
        return
    for part in ("versions", "machine", "use", "extras"):
        say(part)
        for name, value in found[part].items():
            say(f"  {name.replace('_', ' '):<22}{_shown(value)}")
    for line in found["advice"]:
        say(line)


def survey() -> dict[str, Any]:
    """Return what `doctor` prints: versions, machine, use, extras, and advice where something is amiss."""
    machine, use = _machine(), _use()
    extras = {name: _extra(module, purpose) for name, (module, purpose) in EXTRAS.items()}
    return {
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in PACKAGES}},
        "machine": machine,
        "use": use,
        "extras": extras,
        "advice": _advice(machine, use, extras),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _machine() -> dict[str, Any]:
    import torch

    devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "system": f"{platform.system()} {platform.release()}",
        "chip": _chip(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        **_memory(),
        "gpus": [f"{d.name}, {d.total_memory / 2**30:.1f} GiB" for d in devices],
        "mps": torch.backends.mps.is_available(),
    }


def _chip() -> str:
    """Return the processor's name, and which of its instructions bf16 arithmetic on it would use."""
    place = Path("/proc/cpuinfo")
    fields: dict[str, str] = {}
    if place.is_file():
        for line in place.read_text(encoding="utf-8", errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name") or platform.processor() or platform.machine()
    flags = fields.get("flags", fields.get("Features", "")).split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16", "sve") if flag in flags]
    return f"{name} ({', '.join(known)})" if known else name


def _memory() -> dict[str, float | None]:
    """Return memory in GiB, in all and available now; None where the system does not say."""
    place = Path("/proc/meminfo")
    if place.is_file():
        lines = dict(line.split(":", 1) for line in place.read_text(encoding="utf-8").splitlines() if ":" in line)
        kib = {name: int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable") if name in lines}
        total, free = kib.get("MemTotal"), kib.get("MemAvailable")
        return {
            "memory_gib": None if total is None else round(total / 2**20, 1),
            "memory_available_gib": None if free is None else round(free / 2**20, 1),
        }
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return {"memory_gib": None, "memory_available_gib": None}
    return {"memory_gib": round(total / 2**30, 1), "memory_available_gib": None}


def _use() -> dict[str, Any]:
    """Return what a run here would use, asked of the code that a run asks."""
    import tempfile

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from manyshot.models.loading import _dtype
    from manyshot.models.options import ModelOptions
    from manyshot.training import TrainingOptions, make_arguments
    from manyshot.training.options import cpu_has_bf16

    with tempfile.TemporaryDirectory() as folder:
        arguments = make_arguments(TrainingOptions(), folder, seed=0)
    dtype = _dtype(ModelOptions(path="any"))
    weights = "the dtype it is stored in" if dtype == "auto" else str(dtype).removeprefix("torch.")
    tiny = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 8}
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **tiny))
    attention = model.config._attn_implementation
    autocast = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else "no"
    return {
        "device": str(arguments.device),
        "bf16_supported": torch.cuda.is_bf16_supported() if torch.cuda.is_available() else cpu_has_bf16(),
        "training_weights": weights,
        "training_autocast": autocast,
        "training_attention": attention,
        "scoring_weights": weights,
        "scoring_autocast": "no",
        "scoring_attention": attention,
    }


def _extra(module: str, purpose: str) -> dict[str, Any]:
    try:
        there = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        there = False
    return {"importable": there, "for": purpose}


def _advice(machine: dict[str, Any], use: dict[str, Any], extras: dict[str, Any]) -> list[str]:
    lines = []
    if not machine["gpus"] and not machine["mps"]:
        lines.append("no accelerator: small models only, or adapters on small models")
    if not use["bf16_supported"]:
        lines.append("this chip has no bf16 arithmetic: training runs in float32, about half as fast on small models")
    if machine["torch_threads"] > machine["cores_usable"]:
        lines.append(
            f"torch uses {machine['torch_threads']} threads on {machine['cores_usable']} cores: set OMP_NUM_THREADS"
        )
    missing = [name for name in ("datasets", "pyarrow") if not extras[name]["importable"]]
    if missing:
        lines.append(
            f'{" and ".join(missing)} cannot be imported: pip install "manyshot[data]" for parquet and hub: sources'
        )
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return f"{'yes' if value['importable'] else 'no'}   ({value['for']})"
    if isinstance(value, list):
        return "; ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)
