"""Models side by side on the same tasks, without training: what `manyshot eval` and `ms.evaluate` do."""

import gc
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.episodes import draw_demonstrations
from manyshot.errors import RunError
from manyshot.evaluation import Benchmark, EvaluationOptions, bits_per_byte, cells_of, summarise, write_curves
from manyshot.files import hash_text, read_json, write_json, write_text
from manyshot.inference import Endpoint, Reader
from manyshot.models import load_model
from manyshot.recipe import EvaluationRecipe
from manyshot.records import CellLog
from manyshot.tasks import Suite, Task, open_corpus, open_suite

Say = Callable[[str], None]


def claim_folder(folder: Path, recipe_yaml: str, say: Say) -> None:
    """Make a run folder, or go on with it when it belongs to this very recipe. Nothing is ever overwritten."""
    place = folder / records.RECIPE
    if place.is_file():
        if place.read_text(encoding="utf-8") != recipe_yaml:
            raise RunError(
                f"{folder}: holds the run of another recipe (hash {hash_text(place.read_text(encoding='utf-8'))}, this one is "
                f"{hash_text(recipe_yaml)}); choose another --out, or delete the folder"
            )
        say(f"resuming {folder}")
        return
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder}: not empty and no run ({records.RECIPE} is missing); choose another --out")
    write_text(place, recipe_yaml)


def describe(
    judged: Sequence[tuple[Task, str]], options: EvaluationOptions, seed: int, recipe_hash: str
) -> dict[str, Any]:
    """Return a manifest: versions, hardware, tasks with their hashes and roles, demonstrations by task and draw."""
    most = max(options.shots)
    return {
        "recipe_hash": recipe_hash,
        "versions": records.versions(),
        "hardware": records.hardware(),
        "tasks": {
            task.name: {"role": role, "hash": task.content_hash(), "source": task.source, "licence": task.licence}
            for task, role in judged
        },
        "demonstrations": {
            task.name: [draw_demonstrations(task, most, seed, draw) for draw in range(options.draws)]
            for task, _ in judged
        },
    }


def evaluate_models(recipe: EvaluationRecipe, folder: str | Path, say: Say = lambda line: None) -> dict[str, Any]:
    """Score models side by side on the same tasks into a run folder; return the summary with their differences."""
    folder = Path(folder)
    judged = judged_in(recipe)
    claim_folder(folder, recipe.to_yaml(), say)
    place = folder / records.MANIFEST
    log, tasks = CellLog(folder), [task for task, _ in judged]
    extras, probe = {name: {} for name in recipe.models}, recipe.evaluation_text
    if (folder / records.EXTRAS).is_file():
        extras.update(read_json(folder / records.EXTRAS))
    unscored = [name for name in recipe.models if not cells_of(name, tasks, recipe.evaluation) <= log.done]
    if not place.is_file():
        write_json(place, describe(judged, recipe.evaluation, recipe.seed, recipe.hash))
    if any(role == "held_out" for _, role in judged):
        records.count_held_out_reads(folder, len(unscored))
    benchmark = Benchmark(tasks, recipe.evaluation, log, seed=recipe.seed, say=say)
    for method, options in recipe.models.items():
        unread = probe is not None and "general_bits_per_byte" not in extras[method]
        if method not in unscored and not unread and not recipe.curve:
            continue
        if recipe.endpoint:
            benchmark.run(method, Endpoint(recipe.endpoint, str(options.path)))
            continue
        loaded = load_model(options)
        for note in loaded.notes:
            say(note)
        trained_here = options.path is not None and (Path(options.path).parent / records.RECIPE).is_file()
        reader = Reader(loaded.model, loaded.tokenizer)
        benchmark.run(method, reader, check_boundaries=not trained_here)
        if recipe.curve:
            write_curves(folder, method, tasks, reader, recipe.evaluation, recipe.seed)
        if probe is not None and unread:
            bits = bits_per_byte(loaded.model, loaded.tokenizer, open_corpus(probe.path), max_bytes=probe.max_bytes)
            extras[method]["general_bits_per_byte"] = round(bits, 4)
            write_json(folder / records.EXTRAS, extras)
            say(f"{method}  general text {bits:.4f} bits a byte")
        del loaded
        gc.collect()
    log.finish()
    roles = {task.name: role for task, role in judged}
    summary = summarise(folder, roles, extras, base=next(iter(recipe.models)))
    write_json(folder / records.SUMMARY, {**summary, "seeds": [recipe.seed]})
    return read_json(folder / records.SUMMARY)


def evaluate(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    shots: Sequence[int] = (0, 4, 16),
    *,
    draws: int = 3,
    limit: int | None = 100,
    seed: int = 0,
    out: str | Path | None = None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Score a loaded model on tasks and return the summary; `out` keeps the records, and resumes them.

    The summary's `methods["model"]["held_out"]` is the curve over shots: the mean over families of the mean over tasks.
    """
    options = EvaluationOptions(tasks=["*"], shots=list(shots), draws=draws, limit=limit)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(out or scratch)
        log = CellLog(folder)
        Benchmark(tasks, options, log, seed=seed, say=say).run("model", Reader(model, tokenizer))
        log.finish()
        return summarise(folder, {task.name: "held_out" for task in tasks}, {"model": {}})


def judged_in(recipe: EvaluationRecipe) -> list[tuple[Task, str]]:
    """Return the tasks that a recipe judges on, each with its role."""
    judged: list[tuple[Task, str]] = []
    for path in recipe.suites:
        suite: Suite = open_suite(path, chat=recipe.chat)
        # a plain folder of tasks has no splits: they are held out as far as anyone here knows
        split = set(suite.splits) != {"train"}
        paths = suite.select(recipe.evaluation.tasks)
        judged += [(t, suite.role(p) if split else "held_out") for p, t in zip(paths, suite.load(paths), strict=True)]
    names = [task.name for task, _ in judged]
    for name in names:
        if names.count(name) > 1:
            raise RunError(f'two of the tasks are called "{name}"; evaluate them apart or rename one')
    return judged
