"""Local .csv and .tsv files, alone or in a folder: read as they stand. `datasets` reads them by pandas' rules, to which 007 is
the number 7 and the text NA is nothing."""

import re
from pathlib import Path

from manyshot.tasks.tables import FILE_KINDS, Table, join_tables, kind_of, open_table

_TEXT_KINDS = (".csv", ".tsv")
# data that only `datasets` reads
_OTHER_KINDS = (".json", ".arrow", ".gz", ".zip", ".bz2", ".xz", ".zst")
# descriptions, not data
_NO_DATA = ("config.json", "dataset_info.json", "dataset_infos.json")
# words of a folder's or a file's name that say which split it is, as `datasets` takes them
_SPLIT_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}


def open_text_tables(path: Path) -> dict[str, Table] | None:
    """Return the tables of a .csv or .tsv file, or of a folder that holds such, by split; None where `datasets` should read it.

    Files belong to the split that a word of their folder's name says, else of their own name; where no name says any, all are
    `train`. Leaves to `datasets` what has other data beside, or a README that says which file is what.
    """
    if path.is_file():
        return {"train": open_table(path)} if kind_of(path) in _TEXT_KINDS else None
    if not path.is_dir() or _described(path):
        return None
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file.relative_to(path))]
    kinds = {kind_of(file) for file in files if file.name not in _NO_DATA}
    if not kinds & set(_TEXT_KINDS) or kinds & set(_OTHER_KINDS):
        return None
    data = [file.relative_to(path) for file in files if kind_of(file) in FILE_KINDS]
    found = _by_split({file: file.parent.parts for file in data}) or _by_split({file: (file.name,) for file in data})
    splits = found or {"train": data}
    return {split: join_tables(f"{path} {split}", [open_table(path / f) for f in of]) for split, of in splits.items()}


def _by_split(names: dict[Path, tuple[str, ...]]) -> dict[str, list[Path]]:
    """Return the files whose names hold a split's word, by split; files without one belong to none."""
    found: dict[str, list[Path]] = {}
    for split, words in _SPLIT_WORDS.items():
        for file, parts in names.items():
            if any(word in words for part in parts for word in re.split(r"[-._ 0-9]+", part)):
                found.setdefault(split, []).append(file)
    return found


def _hidden(file: Path) -> bool:
    return any(part.startswith((".", "__")) for part in file.parts)


def _described(folder: Path) -> bool:
    readme = folder / "README.md"
    return (
        readme.is_file()
        and re.search(r"^\s*-?\s*(configs|data_files):", readme.read_text("utf-8", "replace"), re.M) is not None
    )
