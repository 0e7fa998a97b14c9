"""Run: a recipe carried out in a folder, resumed wherever it stopped. Measures the base, trains the stages, measures again."""

import gc
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.evaluation import Benchmark, bits_per_byte, cells_of, summarise
from manyshot.files import append_lines, read_json, write_json
from manyshot.inference import Reader
from manyshot.judging import claim_folder, describe
from manyshot.models import (
    LoadedModel,
    TuningOptions,
    context_window,
    load_model,
    make_model,
    prepare_tuning,
    save_prompt,
    take_prompt,
)
from manyshot.recipe import Recipe, StageOptions
from manyshot.records import CellLog
from manyshot.seeds import derive
from manyshot.stage_data import (
    build_dataset,
    build_probe,
    general_tasks,
    guard_tasks,
    recipe_texts,
    refuse_missing_prompts,
    without_leaks,
)
from manyshot.tasks import Task, open_corpus, open_suite
from manyshot.training import (
    Guard,
    LogFiles,
    ManyShotTrainer,
    ProgressLines,
    Ranks,
    Stopwatch,
    consumed,
    forget_after,
    make_arguments,
    newest_complete,
    silence,
)

Say = Callable[[str], None]
TrainingTasks = dict[str, list[Task]]
BASE_FOLDER = "base"
STAGES_FOLDER = "stages"


class Run:
    """One recipe in one folder. `execute` does whatever is not yet done.

    Under torchrun all processes train; the first alone measures, prints and writes, and the others wait for it.
    """

    def __init__(self, recipe: Recipe, folder: str | Path, say: Say = lambda line: None) -> None:
        self.recipe, self.folder, self.say = recipe, Path(folder), say
        self.suite = open_suite(recipe.suite.path, chat=recipe.suite.chat)

    def execute(self) -> dict[str, Any]:
        """Carry out the recipe and return its summary."""
        recipe = self.recipe
        training, judged = self._prepare()
        if not self.ranks.is_main:
            self._follow(training)
            return read_json(self.folder / records.SUMMARY)
        log, extras = CellLog(self.folder), self._extras()
        self._describe(judged)
        if recipe.evaluation.base is None:
            self._judge("base", self._start_model, judged, log, extras, foreign=recipe.model.scratch is None)
        for number, stage in enumerate(recipe.stages):
            place = self._train_if_missing(number, training)
            if stage.name == recipe.evaluation.base:
                self._judge("base", lambda place=place: load_model(str(place)), judged, log, extras)
        self._judge("tuned", lambda: load_model(str(self.folder / records.MODEL)), judged, log, extras)
        log.finish()
        extras.setdefault("tuned", {}).update(self._consumed())
        summary = summarise(self.folder, {task.name: role for task, role in judged}, extras)
        write_json(self.folder / records.SUMMARY, {**summary, "seeds": [recipe.seed]})
        self.ranks.wait()
        return read_json(self.folder / records.SUMMARY)

    def train(self) -> dict[str, Any]:
        """Train the stages and measure nothing; return what they consumed. The model is in the folder's `model`."""
        training, judged = self._prepare()
        if not self.ranks.is_main:
            self._follow(training)
            return self._extras()["tuned"]
        self._describe(judged)
        for number in range(len(self.recipe.stages)):
            self._train_if_missing(number, training)
        extras = self._extras()
        extras.setdefault("tuned", {}).update(self._consumed())
        write_json(self.folder / records.EXTRAS, extras)
        self.ranks.wait()
        return extras["tuned"]

    def _prepare(self) -> tuple[TrainingTasks, list[tuple[Task, str]]]:
        """Take possession of the folder; return each stage's tasks and the judged ones with their roles."""
        # also a check of every stage's arguments before anything is done
        arguments = [self._arguments(stage) for stage in self.recipe.stages]
        self.ranks = Ranks(arguments[0])
        if self.ranks.is_main:
            claim_folder(self.folder, self.recipe.to_yaml(), self.say)
        else:
            self.say = lambda line: None
        training, judged = self._training(), self._judged()
        held = [task for task, role in judged + self._guarding(training, judged) if role in ("held_out", "dev")]
        known = {task.name for task in held}
        later = self.suite.load(self.suite.select(self.recipe.suite.held))
        held += [task for task in later if task.name not in known]
        training = without_leaks(training, held, self.suite.text_groups(), self.recipe.suite.leaks, self.say)
        refuse_missing_prompts(self.recipe.stages, training)
        return training, judged

    def _follow(self, training: TrainingTasks) -> None:
        """Train along with the first process, and wait for what it does besides."""
        for number in range(len(self.recipe.stages)):
            self._train_if_missing(number, training)
        self.ranks.wait()

    # ---- data

    def _training(self) -> TrainingTasks:
        """Return each stage's tasks under its name, and those it mixes in under NAME/general."""
        stages = self.recipe.stages
        return {stage.name: self._training_tasks(stage) for stage in stages} | {
            f"{stage.name}/general": general_tasks(stage, self.recipe.suite.chat) for stage in stages
        }

    def _training_tasks(self, stage: StageOptions) -> list[Task]:
        if stage.data.mix.text >= 1:
            return []
        return self.suite.load(self.suite.select(stage.data.tasks))

    def _guarding(self, training: TrainingTasks, judged: Sequence[tuple[Task, str]]) -> list[tuple[Task, str]]:
        """Return the tasks that guards probe and that are not judged; no training task may share their texts either."""
        known = {task.name for task, _ in judged}
        tasks = [
            task
            for stage in self.recipe.stages
            for task in guard_tasks(stage.training.guard, self.suite, training[stage.name])
        ]
        return [(task, "dev") for task in {t.name: t for t in tasks}.values() if task.name not in known]

    def _judged(self) -> list[tuple[Task, str]]:
        options, recipe = self.recipe.evaluation, self.recipe
        suite = self.suite if options.suite is None else open_suite(options.suite, chat=recipe.suite.chat)
        paths = suite.select(options.tasks)
        judged = [(task, suite.role(path)) for path, task in zip(paths, suite.load(paths), strict=True)]
        if options.suite is not None:
            known = {task.name for task, _ in judged}
            own = {task.name: task for stage in recipe.stages for task in self._training_tasks(stage)}
            judged += [(task, "seen") for name, task in own.items() if name not in known]
        return judged

    # ---- models

    def _start_model(self) -> LoadedModel:
        """Return the model before the first stage; one from scratch is made once and kept."""
        options = self.recipe.model
        if options.scratch is None:
            return load_model(options)
        place = self.folder / BASE_FOLDER
        if not place.is_dir():
            made = make_model(options.scratch, recipe_texts(self.recipe), derive(self.recipe.seed, "model"))
            for note in made.notes:
                self.say(note)
            _save_model(made.model, made.tokenizer, place)
        return load_model(options.model_copy(update={"scratch": None, "path": str(place)}))

    def _model_before(self, number: int) -> LoadedModel:
        if number == 0:
            return self._start_model()
        return load_model(str(self.folder / STAGES_FOLDER / self.recipe.stages[number - 1].name))

    # ---- training

    def _train_if_missing(self, number: int, training: TrainingTasks) -> Path:
        """Train a stage unless its model is there; return the model's folder."""
        stage = self.recipe.stages[number]
        last = number == len(self.recipe.stages) - 1
        place = self.folder / records.MODEL if last else self.folder / STAGES_FOLDER / stage.name
        if self.ranks.is_main and number == 0 and self.recipe.model.scratch and not place.is_dir():
            self._start_model()
        # the first process has measured and saved what the stage starts from, and none has begun to train
        self.ranks.wait()
        if not place.is_dir():
            self._train(stage, training, self._model_before(number), place)
        return place

    def _train(self, stage: StageOptions, training: TrainingTasks, loaded: LoadedModel, place: Path) -> None:
        tasks, general = training[stage.name], training[f"{stage.name}/general"]
        for note in loaded.notes:
            self.say(note)
        seed, names = derive(self.recipe.seed, "adapter", stage.name), [task.name for task in tasks]
        tuned = prepare_tuning(loaded.model, self._tuning(stage), seed, names)
        self.say(f"stage {stage.name}: {tuned}")
        arguments = self._arguments(stage)
        dataset = build_dataset(stage, tasks, loaded.tokenizer, self.recipe.seed, _rows_needed(arguments), general)
        for name, n in dataset.dropped.items():
            self.say(f"{name}: {n} examples are longer than {stage.data.episodes.budget_tokens} tokens and left out")
        budget, window = stage.data.episodes.budget_tokens, context_window(loaded.model)
        if window is not None and budget > window:
            self.say(f"stage {stage.name}: rows are up to {budget} tokens long, and the model was made for {window}")
        described = {
            "trained_parameters": tuned.n_trained,
            "parameters": tuned.n_parameters,
            "dropped_examples": dataset.dropped,
            "tasks": {task.name: task.content_hash() for task in (*tasks, *general)},
        }
        resume, ignored = newest_complete(str(arguments.output_dir))
        for line in ignored:
            self.say(line)
        if self.ranks.is_main:
            # read anew: the base's reading of held-out tasks has been counted in it
            manifest = read_json(self.folder / records.MANIFEST)
            manifest.setdefault("stages", {})[stage.name] = described
            write_json(self.folder / records.MANIFEST, manifest)
            forget_after(self.folder, stage.name, int(resume.name.split("-")[1]) if resume else 0)
        stopwatch = Stopwatch(self.folder, stage.name)
        guards, guard = [], stage.training.guard
        if guard is not None:
            probe = build_probe(guard, guard_tasks(guard, self.suite, tasks), loaded.tokenizer, self.recipe.seed)
            kept = Path(str(arguments.output_dir))
            guards = [Guard(probe, guard, self.folder, kept, stage=stage.name, say=self.say)]
        trainer = ManyShotTrainer(
            model=tuned.model,
            args=arguments,
            train_dataset=dataset,
            objective=stage.objective,
            processing_class=loaded.tokenizer,
            callbacks=[ProgressLines(self.say), LogFiles(self.folder, stage.name), stopwatch, *guards],
        )
        silence(trainer)
        if resume:
            self.say(f"stage {stage.name}: going on from {resume}")
        trainer.train(resume_from_checkpoint=resume)
        if trainer.args.should_save:
            # the model last: where it stands, the stage is done, and its lines are there
            forget_after(self.folder, stage.name, trainer.state.global_step)
            clocked = {"stage": stage.name, "done": True, "seconds": stopwatch.seconds}
            append_lines(self.folder / records.TIMINGS, [clocked])
            counts = {"tokens": trainer.meter.n_tokens, "answers": trainer.meter.n_answers}
            append_lines(self.folder / records.METRICS, [{"stage": stage.name, "done": True, **counts}])
            _save_model(trainer.accelerator.unwrap_model(trainer.model), loaded.tokenizer, place)
        trainer.accelerator.wait_for_everyone()
        del trainer, tuned, loaded
        gc.collect()

    def _tuning(self, stage: StageOptions) -> TuningOptions:
        """Return a stage's tuning with the folder of the stage that its soft prompt comes from."""
        source = stage.tuning.soft_prompt_from
        if source not in [earlier.name for earlier in self.recipe.stages]:
            return stage.tuning
        return stage.tuning.model_copy(update={"soft_prompt_from": str(self.folder / STAGES_FOLDER / source)})

    def _arguments(self, stage: StageOptions) -> Any:
        checkpoints = self.folder / records.CHECKPOINTS
        if len(self.recipe.stages) > 1:
            checkpoints /= stage.name
        return make_arguments(stage.training, checkpoints, derive(self.recipe.seed, "stage", stage.name))

    # ---- evaluation

    def _judge(
        self,
        method: str,
        load: Callable[[], LoadedModel],
        judged: Sequence[tuple[Task, str]],
        log: CellLog,
        extras: dict[str, dict[str, Any]],
        *,
        foreign: bool = False,
    ) -> None:
        options, probe = self.recipe.evaluation, self.recipe.evaluation_text
        wanted = cells_of(method, [task for task, _ in judged], options)
        if wanted <= log.done and (probe is None or "general_bits_per_byte" in extras.get(method, {})):
            return
        loaded = load()
        if any(role == "held_out" for _, role in judged):
            records.count_held_out_reads(self.folder)
        began = time.perf_counter()
        reader = Reader(loaded.model, loaded.tokenizer)
        benchmark = Benchmark([task for task, _ in judged], options, log, seed=self.recipe.seed, say=self.say)
        tokens = benchmark.run(method, reader, check_boundaries=foreign)
        fields = extras.setdefault(method, {})
        if probe is not None:
            bits = bits_per_byte(loaded.model, loaded.tokenizer, open_corpus(probe.path), max_bytes=probe.max_bytes)
            fields["general_bits_per_byte"] = round(bits, 4)
            self.say(f"{method}  general text {bits:.4f} bits a byte")
        write_json(self.folder / records.EXTRAS, extras)
        seconds = round(time.perf_counter() - began, 2)
        append_lines(
            self.folder / records.TIMINGS, [{"stage": f"evaluate {method}", "seconds": seconds, "tokens_read": tokens}]
        )

    def _extras(self) -> dict[str, dict[str, Any]]:
        place = self.folder / records.EXTRAS
        return read_json(place) if place.is_file() else {}

    def _consumed(self) -> dict[str, Any]:
        """Return what all stages after the base consumed."""
        names = [stage.name for stage in self.recipe.stages]
        after = names[names.index(self.recipe.evaluation.base) + 1 :] if self.recipe.evaluation.base else names
        return consumed(self.folder, after)

    def _describe(self, judged: Sequence[tuple[Task, str]]) -> None:
        place = self.folder / records.MANIFEST
        if not place.is_file():
            write_json(place, describe(judged, self.recipe.evaluation, self.recipe.seed, self.recipe.hash))


def _rows_needed(arguments: Any) -> int | None:
    if arguments.max_steps <= 0:
        return None
    batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps * max(1, arguments.n_gpu)
    return arguments.max_steps * batch * arguments.world_size


def _save_model(model: Any, tokenizer: Any, place: Path) -> None:
    """Write model and tokenizer as a plain Hugging Face or PEFT folder that appears whole."""
    staging = place.with_name(f".{place.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    prompt = take_prompt(model)
    model.save_pretrained(staging)
    tokenizer.save_pretrained(staging)
    if prompt is not None:
        save_prompt(prompt.values, staging, prompt.tasks)
    os.replace(staging, place)
