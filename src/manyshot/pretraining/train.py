"""Pretrain a small model stage by stage in a folder, resumed wherever it stopped. Knows the recipe; the Trainer does the rest.

FOLDER/recipe.yaml           the resolved recipe
FOLDER/start/                tokenizer and random weights
FOLDER/checkpoints/STAGE/    of the stage that runs
FOLDER/stages/STAGE/         model after a stage, a Hugging Face folder
FOLDER/metrics.jsonl         loss by step; timings.jsonl: tokens a second
"""

import gc
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from manyshot.errors import RecipeError
from manyshot.files import append_lines, write_text
from manyshot.models import LoadedModel, ModelOptions, load_model, make_model
from manyshot.pretraining.curriculum import OBJECTIVE, PretrainingRecipe, StageOptions, load_pretraining
from manyshot.pretraining.holdout import known_accuracy
from manyshot.pretraining.mixed import CorpusOf, make_rows, tokenizer_texts
from manyshot.pretraining.optimiser import MuonWithAdamW
from manyshot.seeds import derive
from manyshot.tasks import Corpus, open_corpus
from manyshot.training import (
    EpisodeCollator,
    LogFiles,
    ManyShotTrainer,
    ProgressLines,
    Stopwatch,
    make_arguments,
    newest_complete,
    silence,
)

Say = Callable[[str], None]


def pretrain(
    recipe: PretrainingRecipe,
    folder: str | Path,
    say: Say,
    probe: Callable[[Any, Any], str] | None = None,
) -> Path:
    """Train every stage that is not done yet; return the last stage's model folder.

    `probe(model, tokenizer)` is called after each stage, and what it returns is said. The corpus is read only while
    there is something to train with it. Raises RecipeError when the folder belongs to another recipe.
    """
    root = Path(folder)
    _claim(root, recipe)

    @cache
    def corpus() -> Corpus | None:
        return None if recipe.corpus is None else open_corpus(recipe.corpus)

    before = root / "start"
    if not before.is_dir():
        made = make_model(recipe.model, tokenizer_texts(recipe, corpus()), derive(recipe.seed, "model"))
        for note in made.notes:
            say(note)
        save_whole(made, before)
    for stage in recipe.stages:
        after = root / "stages" / stage.name
        if not after.is_dir():
            _train_stage(recipe, stage, before, root, say, probe, corpus)
        before = after
    return before


def _claim(root: Path, recipe: PretrainingRecipe) -> None:
    """Write the recipe into the folder; what is there already must agree with it, but stages to come may change."""
    place = root / "recipe.yaml"
    if place.is_file():
        old = load_pretraining(place)
        n_done = sum((root / "stages" / stage.name).is_dir() for stage in old.stages)
        if old.model_copy(update={"stages": old.stages[:n_done]}) != recipe.model_copy(
            update={"stages": recipe.stages[:n_done]}
        ):
            raise RecipeError(f"{place}: its {n_done} finished stages are not this recipe's; give another folder")
    write_text(place, recipe.to_yaml())


def save(loaded: LoadedModel, place: Path) -> None:
    """Write model and tokenizer as a Hugging Face folder."""
    loaded.model.save_pretrained(place)
    loaded.tokenizer.save_pretrained(place)


def save_whole(loaded: LoadedModel, place: Path) -> None:
    """Write model and tokenizer as a new folder that appears whole: where it stands, its stage is done."""
    staging = place.with_name(f".{place.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    save(loaded, staging)
    os.replace(staging, place)


def _optimiser(stage: StageOptions, model: Any, arguments: Any) -> MuonWithAdamW | None:
    if stage.muon_lr is None:
        return None
    betas = (arguments.adam_beta1, arguments.adam_beta2)
    return MuonWithAdamW(
        model, arguments.learning_rate, {"betas": betas, "weight_decay": arguments.weight_decay}, stage.muon_lr
    )


def _train_stage(
    recipe: PretrainingRecipe,
    stage: StageOptions,
    before: Path,
    root: Path,
    say: Say,
    probe: Any,
    corpus: CorpusOf,
) -> None:
    # attention's fused backward on CPUs is slow at these lengths: the plain formula trains 1.5 times faster
    eager = None if torch.accelerator.is_available() else "eager"
    loaded = load_model(ModelOptions(path=str(before), dtype="float32", attn_implementation=eager))
    for note in loaded.notes:
        say(f"stage {stage.name}: {note}")
    checkpoints = root / "checkpoints" / stage.name
    arguments = make_arguments(stage.training, checkpoints, derive(recipe.seed, "stage", stage.name))
    n_rows = arguments.max_steps * arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    rows = make_rows(stage, loaded.tokenizer, n_rows, derive(recipe.seed, "rows", stage.name), corpus)
    resume, ignored = newest_complete(checkpoints)
    for line in ignored:
        say(line)
    loaded.model.train()
    collator = EpisodeCollator(OBJECTIVE, min_width=stage.budget_tokens if stage.compile else 0)
    if stage.compile:
        # layer by layer: they share one compilation, and which positions the head reads differs from batch to batch
        for layer in loaded.model.base_model.layers:
            layer.compile(dynamic=False)
    stopwatch = Stopwatch(root, stage.name)
    trainer = ManyShotTrainer(
        model=loaded.model,
        args=arguments,
        train_dataset=rows,
        objective=OBJECTIVE,
        data_collator=collator,
        processing_class=loaded.tokenizer,
        optimizers=(_optimiser(stage, loaded.model, arguments), None),
        callbacks=[ProgressLines(say), LogFiles(root, stage.name), stopwatch],
    )
    silence(trainer)
    trainer.train(resume_from_checkpoint=resume)
    seconds = stopwatch.seconds
    append_lines(root / "timings.jsonl", [{"stage": stage.name, "seconds": seconds, "tokens": trainer.meter.n_tokens}])
    say(f"stage {stage.name}: {trainer.meter.n_tokens / 1e6:.1f}M tokens in {seconds / 60:.1f} minutes")
    save_whole(LoadedModel(loaded.model.eval(), loaded.tokenizer, ()), root / "stages" / stage.name)
    del trainer, loaded
    gc.collect()
    loaded = load_model(str(root / "stages" / stage.name))
    fresh = known_accuracy(loaded.model, loaded.tokenizer, stage)
    shares = "  ".join(f"{kind} {known.answers:.2f}" for kind, known in fresh.items())
    say(f"stage {stage.name}: known answers right {shares}")
    if probe is not None:
        say(f"stage {stage.name}: {probe(loaded.model, loaded.tokenizer)}")
