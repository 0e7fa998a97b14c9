"""Fill the git-ignored folder carry/ with what a lent machine lacks: real tasks, prose, wheels. Prints the commands to run.

CARRY/suite.tar.xz   the suite cut to what is needed (benchmarks/gpu/cutting.py)
CARRY/prose.tar.xz   train.txt and valid.txt of plain text
CARRY/wheels/        for the machine's Python 3.12, the versions installed here, one of each
CARRY/state/         what an earlier call brought back (--state), in place of prose once the base is made

No task is copied into the repository: licences of several forbid it. Limits are those of the machine's loan, docs/results/gpu.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from benchmarks.gpu.carried import CARRY, PROSE_ARCHIVE, SUITE_ARCHIVE, shared_data
from benchmarks.gpu.cutting import cut_suite

from manyshot.errors import ManyshotError

FILE_BYTES = 16 * 2**20
# the whole tree may have 64 MiB; the rest is left for the repository's own files
TOTAL_BYTES = 58 * 2**20
PROSE_BYTES = 30_000_000
# what the machine's image lacks or has too old: name -> whether every subcommand needs it
WHEELS = {
    "transformers": True,
    "pydantic": True,
    "pydantic-core": True,
    "annotated-types": True,
    "typing-inspection": True,
    "typing-extensions": True,
    "rouge-score": True,
    "nltk": True,
    "defusedxml": True,
    "trl": False,
    "datasets": False,
    "dill": False,
    "multiprocess": False,
    "lm-eval": False,
    "evaluate": False,
    "pytablewriter": False,
    "dataproperty": False,
    "mbstrdecoder": False,
    "pathvalidate": False,
    "tabledata": False,
    "tcolorpy": False,
    "typepy": False,
    "pytz": False,
    "chardet": False,
    "sqlitedict": False,
    "word2number": False,
    "more-itertools": False,
}
# pure Python, only sources on PyPI
WITHOUT_WHEEL = ("rouge-score", "sqlitedict", "word2number")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
SETUP = (
    "python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site "
    "carry/wheels/*.whl && export PYTHONPATH=/tmp/site:src PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 "
    "TOKENIZERS_PARALLELISM=false || exit;"
)
COMMANDS = (
    "python3 -m benchmarks.gpu training_speed --minutes 4; python3 -m benchmarks.gpu inference_speed --minutes 5",
    "python3 -m benchmarks.gpu real --minutes 9.3",
    "python3 -m benchmarks.gpu real --minutes 9.3",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's options."""
    parser.add_argument("--carry", type=Path, default=CARRY, help="the folder that is filled")
    parser.add_argument("--state", type=Path, help="the folder that *_state.* files came back to")
    parser.add_argument("--no-peers", action="store_true", help="leave out TRL and lm-eval, which `real` does not need")
    parser.add_argument("--no-prose", action="store_true", help="leave out prose, not needed once the base is made")
    parser.add_argument("--no-wheels", action="store_true", help="take the wheels that are there already")
    parser.add_argument("--train-rows", type=int, default=600, help="rows kept of each training task")


def run(arguments: argparse.Namespace) -> None:
    """Fill the folder, refuse what is too large, and print how to run it."""
    carry = arguments.carry
    carry.mkdir(parents=True, exist_ok=True)
    if arguments.smoke:
        pack_folder(smoke_folder(arguments.work), carry / SUITE_ARCHIVE)
    else:
        pack_data(arguments)
        if not arguments.no_wheels:
            fetch_wheels(
                carry / "wheels", [name for name, always in WHEELS.items() if always or not arguments.no_peers]
            )
    if arguments.state is not None:
        copy_state(arguments.state, carry / "state")
    print(check_sizes(carry))
    print("One call each, with carry named in `carry`; a bare machine needs the first part every time:\n")
    for command in COMMANDS:
        print(f"  {SETUP} {command}\n")


def pack_data(arguments: argparse.Namespace) -> None:
    """Write the archives of suite and prose that are not there yet."""
    shared, carry = shared_data(), arguments.carry
    if shared is None:
        raise ManyshotError(
            "no real tasks at ../shared/data; set MANYSHOT_SHARED to the folder that holds data/suite.json"
        )
    if not (carry / SUITE_ARCHIVE).is_file():
        cut = arguments.work / "cut"
        shutil.rmtree(cut, ignore_errors=True)
        cut_suite(shared, cut, print, train_rows=arguments.train_rows)
        pack_folder(cut, carry / SUITE_ARCHIVE)
    if arguments.no_prose:
        (carry / PROSE_ARCHIVE).unlink(missing_ok=True)
    elif not (carry / PROSE_ARCHIVE).is_file():
        prose = arguments.work / "cut_prose"
        write_prose(shared / "prose", prose)
        pack_folder(prose, carry / PROSE_ARCHIVE)


def write_prose(source: Path, target: Path) -> None:
    """Write train.txt, the novels up to a limit, and valid.txt, what is kept from training."""
    target.mkdir(parents=True, exist_ok=True)
    with (source / "novels_train.txt").open("rb") as file:
        text = file.read(PROSE_BYTES).decode("utf-8", "ignore")
    # whole paragraphs
    (target / "train.txt").write_text(text.rpartition("\n\n")[0] or text, encoding="utf-8")
    shutil.copyfile(source / "novels_valid.txt", target / "valid.txt")


def pack_folder(folder: Path, archive: Path) -> None:
    """Write a folder's files as a .tar.xz that is the same bytes for the same files."""

    def bare(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    staging = archive.with_name(f".{archive.name}.staging")
    with tarfile.open(staging, "w:xz") as tar:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                tar.add(file, file.relative_to(folder), filter=bare)
    staging.replace(archive)


def fetch_wheels(folder: Path, names: Iterable[str]) -> None:
    """Download the installed version of each package for the machine's Python; those without a wheel are built here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = {name: f"{name}=={installed(name)}" for name in names}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    target = [part for platform in PLATFORMS for part in ("--platform", platform)]
    target += ["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp", "--dest", str(folder)]
    ready = [pinned for name, pinned in wanted.items() if name not in WITHOUT_WHEEL]
    sources = [pinned for name, pinned in wanted.items() if name in WITHOUT_WHEEL]
    for command in (["download", *target, *ready], ["wheel", "--wheel-dir", str(folder), *sources]):
        done = subprocess.run([*pip, command[0], "--no-deps", *command[1:]], capture_output=True, text=True)
        if done.returncode:
            raise ManyshotError(f"pip {command[0]} failed: {' '.join(done.stderr.split())[-300:]}")
    wrong = [f.name for f in folder.glob("*.whl") if not f.name.endswith("any.whl") and "cp312" not in f.name]
    if wrong:
        raise ManyshotError(f"{folder}: {', '.join(wrong)} would not run on Python 3.12")


def installed(name: str) -> str:
    """Return the version of a package here: what the tests ran with."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        raise ManyshotError(f"{name} is not installed here; run `make bench` once, or pass --no-peers") from None


def copy_state(source: Path, target: Path) -> None:
    """Put what came back where the next call looks for it."""
    parts = sorted(source.glob("*_state.*"))
    if not parts:
        raise ManyshotError(f"{source}: holds no *_state.* files; give the folder that the last call's files are in")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for part in parts:
        shutil.copyfile(part, target / part.name)


def check_sizes(carry: Path) -> str:
    """Return a line with the sizes. ManyshotError where a file or all of them are too large to travel."""
    sizes = {file.relative_to(carry): file.stat().st_size for file in sorted(carry.rglob("*")) if file.is_file()}
    for file, size in sizes.items():
        if size > FILE_BYTES:
            raise ManyshotError(
                f"{carry / file}: {size / 2**20:.1f} MiB, more than {FILE_BYTES >> 20}; lower --train-rows"
            )
    total = sum(sizes.values())
    if total > TOTAL_BYTES:
        raise ManyshotError(
            f"{carry}: {total / 2**20:.1f} MiB, more than {TOTAL_BYTES >> 20}; pass --no-peers or --no-prose"
        )
    each = ", ".join(f"{file} {size / 2**20:.1f}" for file, size in sizes.items() if size > 2**19)
    return f"{carry}: {len(sizes)} files, {total / 2**20:.1f} MiB ({each})"


def smoke_folder(work: Path) -> Path:
    """Return a folder with one generated task, in place of the real suite."""
    from manyshot.tasks.builtin import write_suite

    return write_suite(work / "cut", n_train=4, n_test=2) if not (work / "cut").is_dir() else work / "cut"
