"""The order of the house: each part imports only from those above it, and nothing heavy is loaded before it is needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import manyshot

ROOT = Path(manyshot.__file__).parent
# from top to bottom; names of one line know each other only as far as WITHIN_GROUND says
HOUSE = (
    ("errors", "seeds", "files"),
    ("records",),
    ("theory",),
    ("tasks",),
    ("episodes",),
    ("models",),
    ("objectives",),
    ("inference",),
    ("evaluation",),
    ("training",),
    ("pretraining",),
    ("reporting",),
    ("exporting",),
    ("recipe",),
    ("stage_data",),
    ("judging",),
    ("run",),
    ("studies",),
    ("serving",),
    ("cli",),
)
FLOOR = {name: floor for floor, names in enumerate(HOUSE) for name in names}
WITHIN_GROUND = {("seeds", "errors"), ("files", "errors")}
# what `import manyshot` and `manyshot --help` must not load
HEAVY = ("torch", "transformers", "datasets", "peft", "accelerate", "matplotlib")

MODULES = sorted(ROOT.rglob("*.py"))


def part_of(module: Path) -> str:
    """Return the folder or module of the house that a file belongs to; "" for the package itself."""
    first = module.relative_to(ROOT).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported(module: Path, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, part) for each import from manyshot, wherever it stands in the module."""
    package = ("manyshot", *module.relative_to(ROOT).parts[:-1])
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # one dot is the module's own package, each further one the package above
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            names = [f"{source}.{alias.name}" for alias in node.names] if source == "manyshot" else [source]
        for name in names:
            if name.split(".")[0] == "manyshot":
                yield node.lineno, name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_a_module_imports_only_from_what_stands_above_it(module):
    part = part_of(module)
    if not part:
        # the public names stand over everything and are lazy; the test below sees to that
        return
    assert part in FLOOR, f"{part} has no place in the house; add it to HOUSE in {__file__} and to design.md's list"
    wrong = []
    for line, other in imported(module, ast.parse(module.read_text(encoding="utf-8"))):
        if other not in FLOOR:
            wrong.append(f"{module}:{line}: imports manyshot.{other}, which has no place in the house; add it to HOUSE")
        elif other != part and FLOOR[other] >= FLOOR[part] and (part, other) not in WITHIN_GROUND:
            wrong.append(f"{module}:{line}: {part} imports {other}, which does not stand above it")
    assert not wrong, "\n".join(wrong)


def loaded_after(code: str) -> set[str]:
    """Run code in a new process and return the top-level packages that it has loaded."""
    report = "\nimport sys; sys.stderr.write('LOADED ' + ' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True)
    assert "LOADED " in done.stderr, done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


HELP = """
import sys
sys.argv = ["manyshot", "--help"]
from manyshot.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.mark.parametrize("code", ["import manyshot", HELP], ids=["import", "help"])
def test_importing_the_package_and_asking_for_help_load_nothing_heavy(code):
    assert loaded_after(code) & set(HEAVY) == set()


@pytest.mark.parametrize("part", ["tasks", "episodes", "records", "reporting"])
def test_parts_that_need_no_model_load_no_torch(part):
    if not (ROOT / part).exists() and not (ROOT / f"{part}.py").exists():
        pytest.skip(f"{part} is not there yet")
    assert loaded_after(f"import manyshot.{part}") & {"torch", "transformers", "datasets"} == set()


@pytest.mark.parametrize("part", ["errors", "files", "records"])
def test_the_ground_needs_nothing_but_the_standard_library(part):
    others = loaded_after(f"import manyshot.{part}") - loaded_after("") - set(sys.stdlib_module_names)
    assert others == {"manyshot"}


def test_every_public_name_is_there():
    for name in manyshot.__all__:
        assert getattr(manyshot, name).__name__ == name
