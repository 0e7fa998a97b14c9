"""Command line of the measurements on a GPU: pack, training_speed, inference_speed, real, bundled.

docs/results/gpu/README.md has the order in which they are run. Every one takes --smoke, which runs in seconds on a CPU.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.record import default_out

from manyshot.errors import ManyshotError

# subcommand -> its module, loaded when it is asked for
SUBCOMMANDS = {
    "pack": "pack",
    "training_speed": "training",
    "inference_speed": "inference",
    "real": "real",
    "bundled": "bundled",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; return the exit code, 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    modules = {}
    for name, module in SUBCOMMANDS.items():
        modules[name] = importlib.import_module(f"benchmarks.gpu.{module}")
        verb = verbs.add_parser(name, help=modules[name].__doc__.splitlines()[0])
        verb.add_argument("--smoke", action="store_true", help="tiny sizes, to see that everything runs")
        verb.add_argument("--out", type=Path, default=default_out(), help="folder for results; $OUT if that is set")
        verb.add_argument("--work", type=Path, default=Path("runs/gpu"), help="folder for what need not come back")
        verb.add_argument("--minutes", type=float, default=9.0, help="begin nothing new after this; stop and save")
        modules[name].add_arguments(verb)
    arguments = parser.parse_args(argv)
    try:
        modules[arguments.verb].run(arguments)
    except ManyshotError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
