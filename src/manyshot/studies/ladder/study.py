"""The ladder: one model tuned by several methods on equal tokens, judged side by side. Resumable; skips what is done.

FOLDER/recipe.yaml            the resolved preset
FOLDER/runs/METHOD-lrL-seedS  a run folder a training
FOLDER/dev/                   scores on dev tasks by METHOD@L, which learning rates are chosen from
FOLDER/learning/              scores on dev tasks by METHOD@STEP, the learning curves
FOLDER/dedicated/             scores of the first seed's dedicated models on tasks that are not theirs, a folder each
FOLDER/                       a run folder of all methods: scores, predictions, summary.json, report.html
FOLDER/ladder.json            the summary with what report.py adds to it
FOLDER/ladder.md              its tables

Under torchrun all processes train; the first alone judges and writes.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.errors import RecipeError
from manyshot.evaluation import Benchmark, EvaluationOptions, cells_of
from manyshot.files import read_json, write_json, write_text
from manyshot.inference import Reader
from manyshot.judging import claim_folder, describe
from manyshot.models import load_model
from manyshot.recipe import Recipe
from manyshot.records import CellLog
from manyshot.reporting import ladder_markdown
from manyshot.studies.jobs import Job, alone, is_trained, train_once
from manyshot.studies.ladder.examples import worked_examples
from manyshot.studies.ladder.learning import drop_checkpoints, learning_curves, saved_at, saving
from manyshot.studies.ladder.report import DEDICATED, FOREIGN, ladder_result
from manyshot.studies.methods import BASE, METHODS
from manyshot.studies.preset import LadderPreset
from manyshot.studies.recipes import answers_a_step, training_recipe
from manyshot.tasks import Task, open_suite
from manyshot.tasks.builtin import write_suite
from manyshot.training import Ranks, TrainingOptions, make_arguments

Say = Callable[[str], None]
RESULT = "ladder.json"
TABLES = "ladder.md"
# tasks of dev that learning rates of dedicated models are chosen on: each costs a training
N_DEDICATED_DEV = 3


class Ladder:
    """A preset carried out in a folder."""

    def __init__(self, preset: LadderPreset, folder: str | Path, say: Say = lambda line: None) -> None:
        self.preset, self.folder = preset, Path(folder)
        self.ranks = Ranks(make_arguments(TrainingOptions(), self.folder, 0))
        self.say = say if self.ranks.is_main else lambda line: None
        place = self.folder / "tasks" if preset.suite == "builtin" else Path(preset.suite)
        if self.ranks.is_main:
            claim_folder(self.folder, preset.to_yaml(), say)
            if preset.suite == "builtin":
                write_suite(place)
        self.ranks.wait()
        self.suite = open_suite(place)
        parts = {"held_out": preset.held_out, "near": preset.near, "seen": preset.seen}
        paths = {role: self.suite.select(wanted) for role, wanted in parts.items()}
        self.judged = [(task, role) for role in parts for task in self.suite.load(paths[role])]
        self._refuse_two_roles()
        self.seen_paths, self.dev_paths = paths["seen"], self.suite.select(preset.dev)

    # ---- what there is to train

    def grid(self) -> list[Job]:
        """Return the trainings that learning rates are chosen by, of the methods that have none yet."""
        jobs = []
        for method in self.preset.methods:
            if method not in self.preset.chosen:
                for rate in self.preset.learning_rates:
                    jobs += self._jobs(method, rate, self.preset.seeds[0], self.dev_paths[:N_DEDICATED_DEV])
        return jobs

    def finals(self) -> list[Job]:
        """Return the trainings that the report is about; learning rates must be chosen."""
        return self._finals(self.chosen())

    def _finals(self, rates: Mapping[str, float]) -> list[Job]:
        return [
            job
            for seed in self.preset.seeds
            for method in self.preset.methods
            for job in self._jobs(method, rates[method], seed, self.seen_paths)
        ]

    def todo(self) -> list[Job]:
        """Return the trainings that can be done now and are not: those of the grid, and when they are, the report's.

        To know the latter, what the grid trained is judged on dev, if it is not yet.
        """
        for jobs in (self.grid, self.finals):
            left = [job for job in jobs() if not is_trained(self.folder / "runs" / job.name)]
            if left:
                return left
        return []

    def _jobs(self, method: str, rate: float, seed: int, tasks: Sequence[str]) -> list[Job]:
        if METHODS[method].dedicated:
            return [Job(method, rate, seed, task) for task in tasks]
        return [Job(method, rate, seed)]

    def train(self, job: Job) -> Path:
        """Train a model, unless it is there, and return its folder."""
        folder = self.folder / "runs" / job.name
        return train_once(folder, lambda: self.recipe(job), self.say, is_first=self.ranks.is_main)

    def recipe(self, job: Job) -> Recipe:
        """Return the recipe of a training."""
        method, steps = METHODS[job.method], self.preset.dedicated_steps if job.task else self.preset.steps
        if method.answers_of is None:
            return self._recipe(job, steps)
        asked = steps * answers_a_step(
            self._recipe(Job(method.answers_of, job.learning_rate, job.seed), steps), self.suite
        )
        return self._recipe(job, ceil(asked / answers_a_step(self._recipe(job, steps), self.suite)))

    def _recipe(self, job: Job, steps: int) -> Recipe:
        preset = self.preset
        if points := self._points(job, steps):
            preset = preset.model_copy(update={"training": {**preset.training, **saving(points)}})
        return training_recipe(
            preset,
            self.suite,
            {**METHODS[job.method].stage(preset.budget_tokens, preset.symbols), "tuning": preset.tuning.model_dump()},
            tasks=[job.task] if job.task else preset.train,
            # a dedicated model's task may be one of dev: only the report's tasks must be strange to it
            strange=preset.held_out if job.task else [*preset.dev, *preset.held_out],
            learning_rate=job.learning_rate,
            steps=steps,
            seed=job.seed,
        )

    def _points(self, job: Job, steps: int) -> list[int]:
        """Return the steps of a training after which the learning curve has a point, but for the last."""
        if job.task or job.seed != self.preset.seeds[0]:
            return []
        return saved_at(steps, self.preset.curve_points)

    def _refuse_two_roles(self) -> None:
        roles: dict[str, str] = {}
        for task, role in self.judged:
            if roles.setdefault(task.name, role) != role:
                raise RecipeError(f'task "{task.name}" is in both {roles[task.name]} and {role}; a task plays one part')

    # ---- learning rates

    def chosen(self) -> dict[str, float]:
        """Return each method's learning rate: the preset's, or the best on dev, trained and judged where it is not yet."""
        rates = {m: self.preset.chosen[m] for m in self.preset.methods if m in self.preset.chosen}
        jobs = self.grid()
        if not jobs:
            return rates
        means = self._judge_on_dev(jobs)
        for method in self.preset.methods:
            if method not in rates:
                of_rate = {rate: means[f"{method}@{rate:g}"] for rate in self.preset.learning_rates}
                rates[method] = max(of_rate, key=lambda rate: of_rate[rate])
        return rates

    def _judge_on_dev(self, jobs: Sequence[Job]) -> dict[str, float]:
        """Return METHOD@RATE -> mean score on dev over tasks and shots."""
        folder = self.folder / "dev"
        scores = records.read_scores(folder) if (folder / records.SCORES).is_file() else []
        done = {score.cell for score in scores}
        left = [job for job in jobs if not self._dev_cells(job) <= done]
        # all processes train, in this order, before the first judges alone
        models = [self.train(job) for job in left]
        if self.ranks.is_main and left:
            # the tasks of a cluster's array may come here at once
            with alone(folder):
                log = CellLog(folder)
                for job, model in zip(left, models, strict=True):
                    tasks, options = self._on_dev(job)
                    if not self._dev_cells(job) <= log.done:
                        self._score(model, _at_rate(job), tasks, options, log, range(options.draws))
                log.finish()
        self.ranks.wait()
        scores, names = records.read_scores(folder), {_at_rate(job) for job in jobs}
        return {name: float(np.mean([s.score for s in scores if s.method == name])) for name in names}

    def _on_dev_by_rate(self) -> dict[str, dict[str, float]]:
        """Return method -> learning rate -> mean score on dev, of methods whose rate was chosen here."""
        jobs = self.grid()
        means = self._judge_on_dev(jobs) if jobs else {}
        found: dict[str, dict[str, float]] = {}
        for job in jobs:
            found.setdefault(job.method, {})[f"{job.learning_rate:g}"] = round(means[_at_rate(job)], 6)
        return found

    def _on_dev(self, job: Job) -> tuple[list[Task], EvaluationOptions]:
        preset = self.preset
        shots, draws = ([0], 1) if job.task else (preset.dev_shots, preset.draws)
        tasks = self.suite.load([job.task] if job.task else self.dev_paths)
        return tasks, EvaluationOptions(shots=shots, draws=draws, limit=preset.dev_limit)

    def _dev_cells(self, job: Job) -> set[tuple[str, str, int, int]]:
        tasks, options = self._on_dev(job)
        return cells_of(_at_rate(job), tasks, options)

    def _score(
        self,
        model: Path | str,
        name: str,
        tasks: Sequence[Task],
        options: EvaluationOptions,
        log: CellLog,
        draws: range,
    ) -> None:
        loaded = load_model(str(model))
        Benchmark(tasks, options, log, say=self.say).run(name, Reader(loaded.model, loaded.tokenizer), draws=draws)
        del loaded
        gc.collect()

    # ---- the report

    def execute(self) -> dict[str, Any]:
        """Do whatever is not yet done and return what ladder.json holds."""
        rates = self.chosen()
        jobs = self._finals(rates)
        for job in jobs:
            self.train(job)
        if self.ranks.is_main:
            self._report(rates, jobs)
        self.ranks.wait()
        return read_json(self.folder / RESULT)

    def _report(self, rates: dict[str, float], jobs: Sequence[Job]) -> None:
        preset = self.preset
        self._judge_all(jobs)
        result = ladder_result(
            preset, self.folder, self.judged, rates, jobs, self._learning(jobs), self._on_dev_by_rate()
        )
        if "manyicl" in preset.methods:
            first = self.folder / "runs" / Job("manyicl", rates["manyicl"], preset.seeds[0]).name
            write_text(self.folder / records.METRICS, (first / records.METRICS).read_text(encoding="utf-8"))
        examples = worked_examples([t for t, role in self.judged if role == "held_out"], self.folder, preset.shots)
        write_json(self.folder / records.EXAMPLES, examples)
        write_json(self.folder / records.SUMMARY, result)
        write_text(self.folder / TABLES, ladder_markdown(result))
        write_json(self.folder / RESULT, result)

    def _judge_all(self, jobs: Sequence[Job]) -> None:
        """Judge the base and every model of the report on its tasks; held-out ones are read once a model."""
        preset = self.preset
        options = EvaluationOptions(shots=preset.shots, draws=preset.draws * len(preset.seeds), limit=preset.limit)
        if not (self.folder / records.MANIFEST).is_file():
            write_json(self.folder / records.MANIFEST, describe(self.judged, options, 0, preset.hash))
        log, tasks = CellLog(self.folder), [task for task, _ in self.judged]
        self._judge(preset.model, BASE, tasks, options, log, range(options.draws))
        for job in jobs:
            # each seed has demonstrations of its own; the base reads them all
            number = preset.seeds.index(job.seed)
            draws = range(number * preset.draws, (number + 1) * preset.draws)
            model = self.folder / "runs" / job.name / records.MODEL
            if not job.task:
                self._judge(model, job.method, tasks, options, log, draws)
                continue
            own = options.model_copy(update={"shots": [0]})
            self._judge(model, job.method, self.suite.load([job.task]), own, log, draws)
            if number == 0:
                self._judge_elsewhere(job, model, options, draws)
        log.finish()

    def _judge_elsewhere(self, job: Job, model: Path, options: EvaluationOptions, draws: range) -> None:
        """Judge a dedicated model on tasks that it was not tuned on, for what it left of in-context learning."""
        foreign = [task for task, role in self.judged if role in FOREIGN]
        log = CellLog(self.folder / DEDICATED / job.name)
        ends = options.model_copy(update={"shots": sorted({0, max(options.shots)})})
        self._judge(model, job.method, foreign, ends, log, draws)
        log.finish()

    def _judge(
        self,
        model: Path | str,
        method: str,
        tasks: Sequence[Task],
        options: EvaluationOptions,
        log: CellLog,
        draws: range,
    ) -> None:
        wanted = {(method, task.name, k, d) for task in tasks for k in options.shots for d in draws}
        if not wanted <= log.done:
            self._score(model, method, tasks, options, log, draws)
            held_out = {task.name for task, role in self.judged if role == "held_out"}
            if any(task.name in held_out for task in tasks):
                records.count_held_out_reads(self.folder)

    def _learning(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Return the learning curves of the first seed's models, judged on dev where they are not yet."""
        preset = self.preset
        if not preset.curve_points:
            return {}
        options = EvaluationOptions(shots=[max(preset.dev_shots)], draws=preset.draws, limit=preset.dev_limit)
        tasks = self.suite.load(self.dev_paths)
        own = [job for job in jobs if not job.task and job.seed == preset.seeds[0]]
        runs = {job.method: self.folder / "runs" / job.name for job in own}

        def score(place: Callable[[], Path | str], name: str, log: CellLog) -> None:
            if not cells_of(name, tasks, options) <= log.done:
                self._score(place(), name, tasks, options, log, range(options.draws))

        found = learning_curves(self.folder / "learning", preset.model, runs, preset.curve_points, score)
        for job in (*own, *self.grid()):
            drop_checkpoints(self.folder / "runs" / job.name)
        return {**found, "shots": options.shots[0]}


def _at_rate(job: Job) -> str:
    return f"{job.method}@{job.learning_rate:g}"
