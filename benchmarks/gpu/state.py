"""The state of unfinished work as a few files that fit into what comes back from a lent machine, and back again.

Logs, scores and settings travel, checkpoints do not, and of all models only those that follow on one another: of the last its
weights, as bfloat16, of those before it only that they are done. A model that stays behind is trained again if it is needed.
"""

import io
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from manyshot.errors import ManyshotError

PART_BYTES = 15 * 2**20
MOST_PARTS = 5
_LEFT_BEHIND = ("checkpoints", "checkpoint-")


def save_state(folder: Path, out: Path, name: str, models: Sequence[Path] = ()) -> list[Path]:
    """Write OUT/NAME_state.0, .1 ... with the folder's files; `models` are the model folders in the order they were made.

    Raises ManyshotError when that is more than five parts: the rest of what may come back is for results.
    """
    buffer = io.BytesIO()
    own = [place.resolve() for place in models]
    left = {file.parent.resolve() for file in folder.rglob("*.safetensors")} - {*own}
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for file in sorted(folder.rglob("*")):
            inner = file.relative_to(folder)
            if not file.is_file() or any(part.startswith(_LEFT_BEHIND) for part in inner.parts):
                continue
            if file.parent.resolve() in left:
                continue
            if file.suffix != ".safetensors":
                tar.add(file, inner)
            elif file.parent.resolve() == own[-1]:
                data = _as_bfloat16(file)
                entry = tarfile.TarInfo(str(inner))
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    whole = buffer.getbuffer()
    n_parts = -(-len(whole) // PART_BYTES)
    if n_parts > MOST_PARTS:
        raise ManyshotError(
            f"{folder}: its state is {len(whole) / 2**20:.0f} MiB and {MOST_PARTS * PART_BYTES / 2**20:.0f} may come back; "
            "take a smaller model"
        )
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{name}_state.*"):
        old.unlink()
    parts = []
    for number in range(n_parts):
        part = out / f"{name}_state.{number}"
        part.write_bytes(whole[number * PART_BYTES : (number + 1) * PART_BYTES])
        parts.append(part)
    return parts


def restore_state(source: Path, name: str, folder: Path) -> bool:
    """Unpack the parts of a state into a folder that is not there yet; tell whether it did."""
    parts = sorted(source.glob(f"{name}_state.*"), key=lambda part: int(part.suffix[1:]))
    if folder.exists() or not parts:
        return False
    if [int(part.suffix[1:]) for part in parts] != list(range(len(parts))):
        raise ManyshotError(f"{source}: parts of {name}_state are missing, there are {[p.name for p in parts]}")
    staging = folder.with_name(f".{folder.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(part.read_bytes() for part in parts))) as tar:
            tar.extractall(staging, filter="data")
    except (EOFError, tarfile.TarError, OSError) as error:
        raise ManyshotError(f"{source}: {name}_state.* cannot be unpacked ({error}); copy all parts again") from None
    os.replace(staging, folder)
    return True


def _as_bfloat16(file: Path) -> bytes:
    import torch
    from safetensors.torch import load_file, save

    tensors = {key: t.to(torch.bfloat16) if t.is_floating_point() else t for key, t in load_file(file).items()}
    return save(tensors, metadata={"format": "pt"})
