"""Cache: the encoded examples of a large task, kept in one safetensors file a content hash. What is there is not encoded again.

    $MANYSHOT_CACHE/encoded/KEY.safetensors      by default ~/.cache/manyshot

KEY stands for the rows, the texts around them, the tokenizer and its version. A file is whole or absent, is never changed,
and can be deleted at any time. Offsets are read into memory (a few bytes a row), ids stay in the file.
"""

import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from manyshot.episodes.encoding import EncodedTask, Encoder
from manyshot.episodes.pieces import Collector, Pieces, StoredIds
from manyshot.errors import EpisodeError
from manyshot.files import fsync_folder, hash_text
from manyshot.tasks import LazyRows, Task

PLACE = "MANYSHOT_CACHE"
# fewer are encoded in a second or two, and kept in memory
LARGE_EXAMPLES = 50_000
# changes whenever the same rows would be encoded to other ids, or laid out otherwise
_LAYOUT = "2"
# ids that weigh less are read into memory: answers of a task with labels above all
_SMALL_BYTES = 1 << 20
_KINDS = {"I32": np.dtype("<i4"), "I64": np.dtype("<i8")}


def cache_folder() -> Path:
    """Return where encoded examples are kept: $MANYSHOT_CACHE, or ~/.cache/manyshot."""
    return Path(os.environ.get(PLACE) or "~/.cache/manyshot").expanduser()


def encode_pool(encoder: Encoder, task: Task, *, instruction: bool = True, cache: bool = True) -> EncodedTask:
    """Return a task's training pool encoded: small ones in memory, large ones from the cache, where they are put first.

    Ids are the same wherever they are. Raises EpisodeError when the cache cannot be written or a file in it is not whole.
    """
    is_large = isinstance(task.train, LazyRows) or len(task.train) >= LARGE_EXAMPLES
    # a tokenizer in Python does not say all that its ids depend on
    if not (cache and is_large and hasattr(encoder.tokenizer, "backend_tokenizer")):
        return encoder.examples(task, task.train, instruction=instruction)
    path = cache_folder() / "encoded" / f"{cache_key(encoder, task, instruction=instruction)}.safetensors"
    if not path.is_file():
        try:
            _write(path, encoder, task, instruction=instruction)
        except OSError as error:
            raise EpisodeError(
                f"{path}: cannot be written ({error.strerror or error}); set {PLACE} to a folder with room, or "
                "data.episodes.cache to false to keep encoded examples in memory"
            ) from None
    prompts, answers = read_pieces(path)
    return EncodedTask.of(task.name, encoder.header(task, instruction=instruction), prompts, answers)


def cache_key(encoder: Encoder, task: Task, *, instruction: bool) -> str:
    """Return 16 hex digits for all that the ids of a task's examples depend on."""
    if isinstance(task.train, LazyRows):
        rows = task.train.fingerprint()
    else:
        rows = hash_text(*(text for example in task.train for text in (example.input, example.output)))
    tokenizer = encoder.tokenizer
    made = json.loads(tokenizer.backend_tokenizer.to_str())
    # left over from the last call of the tokenizer, and set anew by each
    made["padding"] = made["truncation"] = None
    frame = repr(encoder.frame(task, instruction=instruction))
    how = (type(tokenizer).__name__, str(getattr(tokenizer, "split_special_tokens", None)), version("tokenizers"))
    # outputs of a task without labels are not all known again
    return hash_text(_LAYOUT, rows, frame, str(task.labels is None), json.dumps(made, sort_keys=True), *how)


def read_pieces(path: Path) -> tuple[Pieces, Pieces]:
    """Return (prompts, answers) of a file of the cache, their ids still in it."""
    with path.open("rb") as file:
        try:
            begin = 8 + int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(begin - 8))
            header.pop("__metadata__", None)
            end = begin + max(entry["data_offsets"][1] for entry in header.values())
            whole = path.stat().st_size == end
        except (ValueError, KeyError, MemoryError, OverflowError):
            whole = False
        if not whole:
            raise EpisodeError(f"{path}: this file of the cache is not whole; delete it, and it is made anew")

        def array(name: str) -> np.ndarray:
            first, last = header[name]["data_offsets"]
            file.seek(begin + first)
            kind = _KINDS[header[name]["dtype"]]
            return np.fromfile(file, kind, (last - first) // kind.itemsize)

        def ids(name: str) -> np.ndarray | StoredIds:
            first, last = header[name]["data_offsets"]
            return array(name) if last - first < _SMALL_BYTES else StoredIds(path, begin + first, (last - first) // 4)

        prompts = Pieces(ids("prompt_ids"), array("prompt_offsets"))
        return prompts, Pieces(ids("answer_ids"), array("answer_offsets"), array("answer_of"))


def _write(path: Path, encoder: Encoder, task: Task, *, instruction: bool) -> None:
    """Encode a task's pool into a file that is there at once and whole, holding only a batch of it in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as scratch:
        places = [Path(scratch) / name for name in ("prompts", "answers", "whole")]
        with places[0].open("w+b") as first, places[1].open("w+b") as second, places[2].open("wb") as file:
            prompts, answers = Collector(first), Collector(second)
            which = encoder.collect(task, task.train, prompts, answers, instruction=instruction)
            parts: dict[str, np.ndarray | BinaryIO] = {
                "prompt_offsets": prompts.offsets(),
                "answer_offsets": answers.offsets(),
                "answer_of": which,
                "prompt_ids": first,
                "answer_ids": second,
            }
            _write_parts(file, parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(places[2], path)
    fsync_folder(path.parent)


def _write_parts(file: BinaryIO, parts: dict[str, Any]) -> None:
    """Write arrays, and the int32 contents of files, as safetensors does; wider ones first, so that all are aligned."""
    header, at = {}, 0
    for name, part in parts.items():
        is_array = isinstance(part, np.ndarray)
        n_bytes = part.nbytes if is_array else part.tell()
        width = part.itemsize if is_array else 4
        header[name] = {"dtype": f"I{8 * width}", "shape": [n_bytes // width], "data_offsets": [at, at + n_bytes]}
        at += n_bytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for part in parts.values():
        if isinstance(part, np.ndarray):
            file.write(part.data)
        else:
            part.seek(0)
            shutil.copyfileobj(part, file, 1 << 20)
