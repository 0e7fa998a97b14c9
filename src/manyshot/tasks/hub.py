"""Data sets that the package `datasets` reads: on the Hub, saved by it, or a folder of data files. Gives Tables by split."""

from pathlib import Path
from typing import Any

from manyshot.errors import TaskError, nearest
from manyshot.tasks.rows import Columns
from manyshot.tasks.tables import Table, as_table, import_extra

HUB = "hub:"
# what `save_to_disk` leaves in a folder
_SAVED = ("dataset_dict.json", "state.json")


def open_dataset(source: str) -> dict[str, Table]:
    """Return the splits of `hub:NAME[:CONFIG]`, or of a local folder, as tables. Nothing is run from the data set.

    NAME may be a folder or file here that `datasets.load_dataset` reads. Raises TaskError where nothing can be loaded.
    """
    datasets = import_extra("datasets", f"{source}:")
    name, _, config = source.removeprefix(HUB).partition(":")
    folder = Path(name).expanduser()
    try:
        if any((folder / saved).is_file() for saved in _SAVED):
            loaded: Any = datasets.load_from_disk(str(folder))
        elif folder.is_file():
            kind = {".jsonl": "json"}.get(folder.suffix, folder.suffix.removeprefix("."))
            loaded = datasets.load_dataset(kind, data_files=str(folder))
        else:
            loaded = datasets.load_dataset(str(folder) if folder.is_dir() else name, config or None)
    except Exception as error:  # datasets raises whatever its readers, the Hub or the network raise
        reason = " ".join(str(error).split())[:200]
        raise TaskError(
            f"{source}: cannot be loaded ({reason}); check the name and the network, or give a local folder"
        ) from None
    splits = {"train": loaded} if isinstance(loaded, datasets.Dataset) else dict(loaded)
    return {str(split): as_table(dataset, f"{source} {split}") for split, dataset in splits.items()}


def keep_columns(table: Table, columns: Columns) -> Table:
    """Return the table with nothing but the columns that are read, so that images beside them are not decoded."""
    refuse_missing(table, columns)
    if not hasattr(table.source, "select_columns"):
        return table
    kept = table.source.select_columns(list(columns.used))
    return Table(table.place, columns.used, table.label_names, kept)


def refuse_missing(table: Table, columns: Columns) -> None:
    """Raise TaskError when the table's head lacks a column."""
    for column in columns.used:
        if table.columns and column not in table.columns:
            raise TaskError(
                f'{table.place}: no column "{column}"{nearest(column, table.columns)}; columns here are '
                f"{', '.join(table.columns)}"
            )
