"""Checkpoints that are whole or do not count: a list of files with sizes and hashes is written last, then the folder renamed."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from manyshot.errors import ManyshotError
from manyshot.files import fsync_folder, hash_file, read_json, write_json

COMPLETE = "complete.json"
# what transformers leaves out without a word, and a resumed run then silently makes anew
NEEDED_TO_RESUME = ("trainer_state.json", "scheduler.pt", "optimizer*", "rng_state*.pth")
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(staging: Path, final: Path, step: int) -> None:
    """Make a checkpoint folder whole: list its files, have them on disk, give it its final name."""
    files = {}
    for file in sorted(f for f in staging.rglob("*") if f.is_file()):
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        files[str(file.relative_to(staging))] = {"bytes": file.stat().st_size, "sha256": hash_file(file)}
    write_json(staging / COMPLETE, {"step": step, "files": files})
    fsync_folder(staging)
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(staging, final)
    fsync_folder(final.parent)


def why_incomplete(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint folder, or None when it can be resumed."""
    if not (checkpoint / COMPLETE).is_file():
        return f"{COMPLETE} is missing: it was being written when the run stopped"
    try:
        files = read_json(checkpoint / COMPLETE)["files"]
    except (ManyshotError, KeyError, TypeError):
        return f"{COMPLETE} is not whole"
    for name, expected in files.items():
        file = checkpoint / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != expected["bytes"]:
            return f"{name} has {file.stat().st_size} bytes of {expected['bytes']}"
    for pattern in NEEDED_TO_RESUME:
        if not any(checkpoint.glob(pattern)):
            return f"{pattern} is missing, so optimiser and schedule would start anew"
    for name, expected in files.items():
        if hash_file(checkpoint / name) != expected["sha256"]:
            return f"{name} is not what was written"
    return None


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints of a folder by rising step, whole or not."""
    found = [(int(m[1]), f) for f in folder.glob("checkpoint-*") if f.is_dir() and (m := _NAME.fullmatch(f.name))]
    return sorted(found)


def newest_complete(folder: str | Path) -> tuple[Path | None, list[str]]:
    """Return the newest checkpoint that can be resumed, and a line for each newer one that cannot."""
    ignored: list[str] = []
    for _, checkpoint in reversed(numbered(Path(folder))):
        reason = why_incomplete(checkpoint)
        if reason is None:
            return checkpoint, ignored
        ignored.append(f"{checkpoint}: not used, {reason}; delete it or leave it")
    return None, ignored


def rotate(folder: Path, limit: int | None, keep: Sequence[Path] = ()) -> None:
    """Delete the oldest whole checkpoints beyond `limit`. Half-written ones are left for their owner to look at."""
    if not limit or limit < 0:
        return
    import shutil

    whole = [f for _, f in numbered(folder) if (f / COMPLETE).is_file() and f not in keep]
    for checkpoint in whole[: max(0, len(whole) - limit)]:
        shutil.rmtree(checkpoint)
