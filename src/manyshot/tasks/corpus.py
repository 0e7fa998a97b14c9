"""Corpus: plain text to train on as a language model or to measure bits per byte with. Documents, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyshot.errors import TaskError


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents of plain text in a fixed order."""

    name: str
    documents: Sequence[str]

    @property
    def n_bytes(self) -> int:
        """Size as UTF-8."""
        return sum(len(document.encode("utf-8")) for document in self.documents)


def open_corpus(path: str | Path, separator: str = "\n\n") -> Corpus:
    """Read a text file, or every .txt file of a folder, and split it into documents at `separator`."""
    place = Path(path)
    files = sorted(place.glob("*.txt")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise TaskError(f"{place}: no text there; give a .txt file or a folder of them")
    documents: list[str] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise TaskError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
        documents += [document for document in text.split(separator) if document.strip()]
    if not documents:
        raise TaskError(f"{place}: holds no text")
    return Corpus(place.stem, documents)
