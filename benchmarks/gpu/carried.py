"""What travels to a lent machine in carry/: names of the archives, and where their contents are on either machine."""

import os
import tarfile
from pathlib import Path

from manyshot.errors import ManyshotError

CARRY = Path("carry")
SUITE_ARCHIVE = "suite.tar.xz"
PROSE_ARCHIVE = "prose.tar.xz"


def shared_data() -> Path | None:
    """Return the folder of the real tasks, $MANYSHOT_SHARED/data or ../shared/data, where it is."""
    place = Path(os.environ.get("MANYSHOT_SHARED", "../shared")) / "data"
    return place if (place / "suite.json").is_file() else None


def unpacked(archive: str, work: Path) -> Path | None:
    """Return the folder of an archive of carry/, unpacked once; None where it was not carried."""
    source = CARRY / archive
    target = work / archive.partition(".")[0]
    if not target.is_dir() and source.is_file():
        staging = target.with_name(f".{target.name}.staging")
        with tarfile.open(source) as tar:
            tar.extractall(staging, filter="data")
        os.replace(staging, target)
    return target if target.is_dir() else None


def data_folder(work: Path) -> Path | None:
    """Return a folder of real tasks: the carried one, or the shared one, or None."""
    return unpacked(SUITE_ARCHIVE, work) or shared_data()


def prose_folder(work: Path) -> Path:
    """Return the folder with train.txt and valid.txt of plain text. ManyshotError where nothing was carried."""
    place = unpacked(PROSE_ARCHIVE, work)
    if place is None:
        raise ManyshotError(f"{CARRY / PROSE_ARCHIVE}: no such file; make it with `python -m benchmarks.gpu pack`")
    return place
