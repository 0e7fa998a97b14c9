"""A new small model on real text, then the ladder of methods on real tasks. Goes on where an earlier call stopped.

WORK/real/pretraining/   stages of the base (manyshot.pretraining)
WORK/real/base/          what the ladder starts from
WORK/real/ladder/        the study's folder
OUT/real.json            what is done, the training log's lines, the ladder's tables
OUT/real_state.*         what the next call needs if it finds a bare machine
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.gpu.base import make_base, models_made
from benchmarks.gpu.carried import CARRY, SUITE_ARCHIVE, prose_folder, unpacked
from benchmarks.gpu.limit import Clock, OutOfTime, stopped_after
from benchmarks.gpu.record import write_result
from benchmarks.gpu.state import restore_state, save_state

from manyshot.errors import ManyshotError
from manyshot.files import read_json, read_lines
from manyshot.pretraining.curriculum import PretrainingRecipe, load_pretraining
from manyshot.studies import Ladder, LadderPreset, load_preset

HERE = Path(__file__).parent
Say = Callable[[str], None]
# seconds of the limit that are kept for packing what there is
FOR_PACKING = 25
SMOKE_PRESET: dict[str, Any] = {
    "train": ["topic_train_0", "negation_train_0"],
    "dev": ["mood_dev_0"],
    "held_out": ["mood_held_out_0"],
    "shots": [0, 2],
    "dev_shots": [0, 2],
    "methods": ["manyicl"],
    "chosen": {"manyicl": 1e-3},
    "learning_rates": [1e-3],
    "draws": 1,
    "limit": 2,
    "dev_limit": 2,
    "budget_tokens": 256,
    "step_tokens": 600,
    "steps": 1,
    "training": {},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's options."""
    parser.add_argument("--base", type=Path, default=HERE / "base_gpu.yaml", help="how the model is made")
    parser.add_argument("--preset", default=str(HERE / "real_gpu.yaml"), help="the ladder: a preset or a .yaml file")
    parser.add_argument("--base-only", action="store_true", help="make the model and stop before the ladder")


def run(arguments: argparse.Namespace) -> None:
    """Do what is not yet done within the limit, then write results and state."""
    began, clock = time.perf_counter(), Clock(arguments.minutes - FOR_PACKING / 60)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    folder = arguments.work / "real"
    said: list[str] = []

    def say(line: str) -> None:
        said.append(f"{(time.perf_counter() - began) / 60:5.2f} min  {line}")
        print(said[-1], flush=True)

    if restore_state(CARRY / "state", "real", folder):
        say(f"state restored from {CARRY / 'state'}")
    recipe = smaller(load_pretraining(arguments.base)) if arguments.smoke else load_pretraining(arguments.base)
    finished = False
    try:
        with stopped_after(clock):
            carry_out(recipe, folder, arguments, say)
            finished = True
    except OutOfTime:
        say("the time is up; the next call goes on from here")
    result = {"finished": finished, "said": said, **tables(folder)}
    print(write_result(arguments.out, "real", began, result))
    if not finished:
        made = models_made(folder / "pretraining", recipe)
        for part in save_state(folder, arguments.out, "real", made):
            print(f"{part}  {part.stat().st_size / 2**20:.1f} MiB")


def carry_out(recipe: PretrainingRecipe, folder: Path, arguments: argparse.Namespace, say: Say) -> None:
    """Make the base and climb the ladder, each unless it is done. The base reads the suite and the prose that were carried."""
    work, changes = arguments.work, {}
    if arguments.smoke:
        changes = SMOKE_PRESET
        suite, text = smoke_data(work)
    else:
        suite, text = real_suite(work), work / "prose" / "train.txt"
        if not all((folder / "pretraining" / "stages" / stage.name).is_dir() for stage in recipe.stages):
            # a base whose stages are done needs no prose, and none may have been carried
            text = prose_folder(work) / "train.txt"
    base = make_base(recipe.model_copy(update={"corpus": str(text), "suite": str(suite)}), folder, say)
    if arguments.base_only:
        return
    preset = load_preset(arguments.preset, LadderPreset, model=str(base), suite=str(suite), **changes)
    Ladder(preset, folder / "ladder", say).execute()


def real_suite(work: Path) -> Path:
    """Return the cut suite. ManyshotError where it was not packed."""
    place = unpacked(SUITE_ARCHIVE, work)
    if place is None:
        raise ManyshotError(f"{CARRY / SUITE_ARCHIVE}: no such file; make it with `python -m benchmarks.gpu pack`")
    return place


def smoke_data(work: Path) -> tuple[Path, Path]:
    """Write a generated suite and generated prose, and return where they are."""
    from random import Random

    from manyshot.pretraining.world import prose
    from manyshot.tasks.builtin import write_suite

    suite, text = work / "suite", work / "prose.txt"
    if not suite.is_dir():
        write_suite(suite, n_train=24, n_test=4)
    text.write_text("\n\n".join(prose(Random(n), 6) for n in range(40)), encoding="utf-8")
    return suite, text


def smaller(recipe: PretrainingRecipe) -> PretrainingRecipe:
    """Return a recipe with a tiny model and two stages of two steps, the second half prose."""
    value = recipe.model_copy(update={"stages": [recipe.stages[0], recipe.stages[-1]]}).model_dump(mode="json")
    value["model"].update(vocabulary=400, tokenizer_bytes=50_000)
    value["model"]["config"].update(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2
    )
    value["tokenizer_documents"] = 100
    for stage in value["stages"]:
        stage.update(mix={"adjacent": 1.0}, budget_tokens=64, compile=False, one_piece=0.0, apart=0.0, text=0.0)
        stage["training"]["args"].update(max_steps=2, per_device_train_batch_size=4, dataloader_num_workers=0)
        stage["training"]["args"].update(gradient_accumulation_steps=1, logging_steps=1, save_steps=2)
    value["stages"][-1]["text"] = 0.5
    return PretrainingRecipe.model_validate(value)


def tables(folder: Path) -> dict[str, Any]:
    """Return what there is to report: seconds by stage of the base, losses, the ladder's result or its scores so far."""
    found: dict[str, Any] = {}
    for name in ("timings", "metrics"):
        place = folder / "pretraining" / f"{name}.jsonl"
        if place.is_file():
            found[f"pretraining_{name}"] = [row for _, row in read_lines(place, drop_torn_end=True)]
    ladder = folder / "ladder"
    if (ladder / "ladder.json").is_file():
        found["ladder"] = read_json(ladder / "ladder.json")
    elif (ladder / "scores.jsonl").is_file():
        found["scores_so_far"] = [row for _, row in read_lines(ladder / "scores.jsonl", drop_torn_end=True)]
    if (ladder / "recipe.yaml").is_file():
        found["preset"] = (ladder / "recipe.yaml").read_text(encoding="utf-8")
    return found
