"""Files that are either whole or absent: atomic writes, durable appends, content hashes. Knows no format but JSON."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from manyshot.errors import ManyshotError


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` so that `path` holds either its old content or all of the new one, also after a crash."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staging = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(staging, 0o644)
        os.replace(staging, path)
    except BaseException:
        Path(staging).unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a broken one is named by place."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManyshotError(f"{path}: no such file") from None
    except json.JSONDecodeError as error:
        raise ManyshotError(f"{path}:{error.lineno}: not valid JSON ({error.msg})") from None
    except UnicodeDecodeError as error:
        raise ManyshotError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def json_line(row: dict[str, Any]) -> str:
    """Return one line of a .jsonl file."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def append_lines(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows to a .jsonl file and have them on disk before returning."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json_line(row) for row in rows)
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: str | Path, *, drop_torn_end: bool = False) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) for each non-empty line of a .jsonl file.

    `drop_torn_end` forgives a last line without its newline: what a killed writer leaves.
    """
    path = Path(path)
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if drop_torn_end and not raw.endswith(b"\n"):
                return
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise ManyshotError(f"{path}:{number}: not UTF-8 text; save it as UTF-8") from None
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise ManyshotError(
                    f"{path}:{number}: not valid JSON ({error.msg} at column {error.colno}); "
                    "every line must be one JSON object"
                ) from None
            yield number, value


def hash_text(*parts: str) -> str:
    """Return 16 hex digits that identify the parts; each is hashed with its length, so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]


def hash_file(path: str | Path) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fsync_folder(path: str | Path) -> None:
    """Make a folder's entries durable (a no-op where the system cannot)."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
