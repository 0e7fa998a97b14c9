"""Command line of pretraining: `python -m manyshot.pretraining train RECIPE FOLDER` and `... probe MODEL`."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from manyshot.errors import ManyshotError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code, 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m manyshot.pretraining", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train the stages that are not done, a short probe after each")
    train.add_argument("recipe")
    train.add_argument("folder")
    probe = verbs.add_parser("probe", help="accuracy by shots on words and labels never seen")
    probe.add_argument("model")
    probe.add_argument("--tasks", type=int, default=30, help="probe tasks a cell")
    probe.add_argument("--words", type=int, default=16, help="words a task")
    probe.add_argument("--labels", type=int, nargs="+", default=[2, 4, 8])
    probe.add_argument("--templates", nargs="+", default=None)
    probe.add_argument("--one-piece", action="store_true", help="words that are one token (seen in training)")
    probe.add_argument("--json", default=None, help="also write the cells to this file")
    options = parser.parse_args(argv)
    try:
        return _train(options) if options.verb == "train" else _probe(options)
    except ManyshotError as error:
        print(error, file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> int:
    from manyshot.pretraining.curriculum import load_pretraining
    from manyshot.pretraining.train import pretrain

    began = time.perf_counter()

    def say(line: str) -> None:
        print(f"{(time.perf_counter() - began) / 60:5.1f} min  {line}", flush=True)

    print(pretrain(load_pretraining(options.recipe), options.folder, say, _short_probe))
    return 0


def _short_probe(model: Any, tokenizer: Any) -> str:
    from manyshot.inference import Reader
    from manyshot.pretraining.probe import probe

    cells = probe(Reader(model, tokenizer), labels=(4,), shots=(0, 8, 32), n_tasks=12)
    return "  ".join(f"{c.template} k={c.shots} {c.accuracy:.2f}" for c in cells)


def _probe(options: argparse.Namespace) -> int:
    from manyshot.files import write_json
    from manyshot.inference import Reader
    from manyshot.models import load_model
    from manyshot.pretraining.probe import TEMPLATES, probe, table
    from manyshot.pretraining.rows import one_piece_words
    from manyshot.pretraining.words import evaluation_word

    loaded = load_model(options.model)
    single = one_piece_words(loaded.tokenizer)
    cells = probe(
        Reader(loaded.model, loaded.tokenizer),
        templates=options.templates or tuple(TEMPLATES),
        labels=options.labels,
        n_tasks=options.tasks,
        n_words=options.words,
        draw=(lambda rng: rng.choice(single)) if options.one_piece else evaluation_word,
    )
    print(table(cells))
    if options.json:
        write_json(options.json, [asdict(cell) for cell in cells])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
