"""What every result says of itself: command, card, versions, seconds. One JSON file a subcommand, written whole."""

import os
import resource
import shlex
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.files import write_json

# dense bf16 with fp32 accumulation, FLOP/s, from NVIDIA's datasheets of the SXM parts
BF16_PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
PEERS = ("trl", "lm_eval")


def card() -> dict[str, Any]:
    """Return name and memory of the card, and its bf16 peak where it is known; without a card, that there is none."""
    import torch

    if not torch.cuda.is_available():
        return {"name": "none (CPU)", "memory_bytes": 0, "bf16_peak_flops": None}
    properties = torch.cuda.get_device_properties(0)
    peak = next((flops for name, flops in BF16_PEAK.items() if name in properties.name), None)
    return {"name": properties.name, "memory_bytes": properties.total_memory, "bf16_peak_flops": peak}


def peak_bytes() -> int:
    """Return the most memory this process has held: the card's where there is one, else its own."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def versions() -> dict[str, str]:
    """Return the versions of everything that a result depends on, peers too where they are installed."""
    found = records.versions()
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_result(out: Path, name: str, began: float, result: Mapping[str, Any]) -> Path:
    """Write OUT/NAME.json: the result behind what it was made with. `began` is a time.perf_counter()."""
    import torch

    place = out / f"{name}.json"
    about = {
        "command": f"python -m benchmarks.gpu {shlex.join(sys.argv[1:])}",
        "card": card(),
        "versions": {**versions(), "cuda": torch.version.cuda},
        "hardware": records.hardware(),
        "seconds": round(time.perf_counter() - began, 1),
    }
    write_json(place, {**about, **result})
    return place


def default_out() -> Path:
    """Return the folder that results go to: $OUT, which comes back from a lent machine, or a git-ignored one."""
    return Path(os.environ.get("OUT") or "runs/gpu/out")
