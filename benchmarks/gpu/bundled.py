"""The bundled model's curriculum with more steps: recipes/tiny.yaml, every stage `--scale` times as long. Resumable.

WORK/bundled/         stages, checkpoints, logs (manyshot.pretraining)
OUT/bundled.json      seconds and losses by stage, recall by shots, scores on the built-in dev tasks by shots
OUT/bundled_state.*   the folder with the last finished stage's weights, whether or not all stages are done
"""

import argparse
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpu.base import models_made
from benchmarks.gpu.carried import CARRY
from benchmarks.gpu.limit import Clock, OutOfTime, stopped_after
from benchmarks.gpu.record import write_result
from benchmarks.gpu.state import restore_state, save_state

from manyshot.files import read_lines
from manyshot.pretraining.curriculum import PretrainingRecipe, load_pretraining

# seconds of the limit that are kept for packing
FOR_PACKING = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's options."""
    parser.add_argument("--recipe", type=Path, default=Path("recipes/tiny.yaml"))
    parser.add_argument("--scale", type=float, default=4.0, help="steps of every stage, as a multiple of the recipe's")
    parser.add_argument("--no-compile", action="store_true", help="run the layers as they are")


def run(arguments: argparse.Namespace) -> None:
    """Train what is not yet done within the limit, measure the end if it is reached, write results and state."""
    began, clock = time.perf_counter(), Clock(arguments.minutes - FOR_PACKING / 60)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from manyshot.pretraining.train import pretrain

    recipe = load_pretraining(arguments.recipe)
    recipe = smaller(recipe) if arguments.smoke else longer(recipe, arguments.scale, compiled=not arguments.no_compile)
    folder, said = arguments.work / "bundled", []
    restore_state(CARRY / "state", "bundled", folder)

    def say(line: str) -> None:
        said.append(f"{(time.perf_counter() - began) / 60:5.2f} min  {line}")
        print(said[-1], flush=True)

    result: dict[str, Any] = {"scale": arguments.scale, "finished": False}
    try:
        with stopped_after(clock):
            last = pretrain(recipe, folder, say)
            result |= measured(last, smoke=arguments.smoke)
            result["finished"] = True
    except OutOfTime:
        say("the time is up; the next call goes on from here")
    for name in ("timings", "metrics"):
        if (folder / f"{name}.jsonl").is_file():
            result[name] = [row for _, row in read_lines(folder / f"{name}.jsonl", drop_torn_end=True)]
    print(write_result(arguments.out, "bundled", began, {**result, "said": said}))
    for part in save_state(folder, arguments.out, "bundled", models_made(folder, recipe)):
        print(f"{part}  {part.stat().st_size / 2**20:.1f} MiB")


def longer(recipe: PretrainingRecipe, scale: float, *, compiled: bool = True) -> PretrainingRecipe:
    """Return the recipe with every stage's steps scaled, those of its log and its checkpoints too."""
    stages = []
    for stage in recipe.stages:
        args = dict(stage.training.args)
        for key in ("max_steps", "logging_steps", "save_steps"):
            args[key] = max(1, round(args[key] * scale))
        training = stage.training.model_copy(update={"args": args})
        stages.append(stage.model_copy(update={"training": training, "compile": stage.compile and compiled}))
    return recipe.model_copy(update={"stages": stages})


def smaller(recipe: PretrainingRecipe) -> PretrainingRecipe:
    """Return the first and last stage of the recipe, a step each on few short rows."""
    value = recipe.model_copy(update={"stages": [recipe.stages[0], recipe.stages[-1]]}).model_dump(mode="json")
    value["model"].update(vocabulary=400, tokenizer_bytes=50_000)
    value["tokenizer_documents"] = 100
    for stage in value["stages"]:
        stage.update(mix={"adjacent": 1.0}, compile=False, budget_tokens=64, one_piece=0.0, apart=0.0)
        stage["training"]["args"].update(max_steps=1, per_device_train_batch_size=4)
    return PretrainingRecipe.model_validate(value)


def measured(model: Path, *, smoke: bool) -> dict[str, Any]:
    """Return recall of words never seen, and the curve on the built-in dev tasks that need demonstrations."""
    from manyshot.inference import Reader
    from manyshot.models import load_model
    from manyshot.pretraining.dev_curve import dev_curve
    from manyshot.pretraining.probe import probe

    loaded = load_model(str(model))
    if smoke:
        few = {"templates": ("arrow",), "labels": (2,), "shots": (0, 4), "n_tasks": 1, "n_words": 4}
        return {"recall": [asdict(cell) for cell in probe(Reader(loaded.model, loaded.tokenizer), **few)]}
    cells = probe(Reader(loaded.model, loaded.tokenizer), n_tasks=30)
    return {
        "recall": [asdict(cell) for cell in cells],
        "dev_curve": dev_curve(loaded.model, loaded.tokenizer, shots=(0, 1, 2, 4, 8, 16, 32), draws=3, limit=40),
    }
