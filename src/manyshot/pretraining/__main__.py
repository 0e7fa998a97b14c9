"""Command line of pretraining: `python -m manyshot.pretraining train RECIPE FOLDER`, then `known`, `probe`, `dev` or `pack`."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from manyshot.errors import ManyshotError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code, 2 for a user's mistake."""
    parser = argparse.ArgumentParser(prog="python -m manyshot.pretraining", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train the stages that are not done, a short probe after each")
    train.add_argument("recipe")
    train.add_argument("folder")
    known = verbs.add_parser("known", help="top-1 accuracy on known answers by kind of document, on fresh rows")
    known.add_argument("model")
    known.add_argument("--tokens", type=int, default=128, help="length of a row")
    known.add_argument("--one-piece", type=float, default=0.0, help="share of rows with single-piece words")
    probe = verbs.add_parser("probe", help="accuracy by shots on words and labels never seen")
    probe.add_argument("model")
    probe.add_argument("--tasks", type=int, default=30, help="probe tasks a cell")
    probe.add_argument("--words", type=int, default=16, help="words a task")
    probe.add_argument("--labels", type=int, nargs="+", default=[2, 4, 8])
    probe.add_argument("--templates", nargs="+", default=None)
    probe.add_argument("--one-piece", action="store_true", help="words that are one token (seen in training)")
    probe.add_argument("--json", default=None, help="also write the cells to this file")
    dev = verbs.add_parser("dev", help="scores by shots on the built-in suite's dev tasks that need demonstrations")
    dev.add_argument("model")
    dev.add_argument("--draws", type=int, default=3)
    pack = verbs.add_parser("pack", help="write a model's weights as bfloat16, to be shipped")
    pack.add_argument("model")
    pack.add_argument("folder")
    options = parser.parse_args(argv)
    try:
        return {"train": _train, "known": _known, "probe": _probe, "dev": _dev, "pack": _pack}[options.verb](options)
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
    from manyshot.pretraining.dev_curve import dev_curve
    from manyshot.pretraining.probe import probe

    cells = probe(Reader(model, tokenizer), labels=(4,), shots=(8, 32), n_tasks=8)
    recall = "  ".join(f"{c.template} k={c.shots} {c.accuracy:.2f}" for c in cells)
    return f"recall [{recall}]  dev tasks [{_in_a_line(dev_curve(model, tokenizer)['mean'])}]"


def _in_a_line(curve: dict[int, float]) -> str:
    return "  ".join(f"{k}: {score:.2f}" for k, score in curve.items())


def _dev(options: argparse.Namespace) -> int:
    from manyshot.models import load_model
    from manyshot.pretraining.dev_curve import dev_curve

    loaded = load_model(options.model)
    for name, curve in dev_curve(loaded.model, loaded.tokenizer, draws=options.draws, limit=40).items():
        print(f"{name:24} {_in_a_line(curve)}")
    return 0


def _known(options: argparse.Namespace) -> int:
    from manyshot.models import load_model
    from manyshot.pretraining.curriculum import KINDS_OF_DOCUMENT, StageOptions
    from manyshot.pretraining.holdout import known_accuracy

    loaded = load_model(options.model)
    stage = StageOptions.model_validate(
        {
            "name": "fresh",
            "mix": dict.fromkeys(KINDS_OF_DOCUMENT, 1.0),
            "budget_tokens": options.tokens,
            "one_piece": options.one_piece,
        }
    )
    print(f"{'kind':16} answers  tokens")
    for kind, known in known_accuracy(loaded.model, loaded.tokenizer, stage).items():
        print(f"{kind:16} {known.answers:7.3f} {known.tokens:7.3f}")
    return 0


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


def _pack(options: argparse.Namespace) -> int:
    import torch

    from manyshot.models import load_model
    from manyshot.pretraining.train import save

    loaded = load_model(options.model)
    loaded.model.to(torch.bfloat16)
    save(loaded, Path(options.folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
