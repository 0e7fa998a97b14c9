"""The trainings of the preservation study: each trained, judged and compared with the base once, in the study's folder."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.evaluation import EvaluationOptions
from manyshot.files import read_json
from manyshot.recipe import Recipe
from manyshot.studies.jobs import Job, is_held, is_trained, train_once
from manyshot.studies.methods import BASE, PRESERVING
from manyshot.studies.preservation.judging import Bench
from manyshot.studies.preservation.report import Outcome, Pair, Target, measure_outcome
from manyshot.studies.preservation.tasks import is_diverse, open_study_suite, training_paths
from manyshot.studies.preset import PreservationPreset
from manyshot.studies.recipes import training_recipe
from manyshot.studies.text import study_text
from manyshot.tasks import Task, save_task


class Trainings:
    """What a preset's jobs are trained from and judged on; nothing is done twice, however many processes ask."""

    def __init__(self, preset: PreservationPreset, folder: Path, say: Callable[[str], None]) -> None:
        self.preset, self.folder, self.say = preset, folder, say
        self.suite = open_study_suite(preset.suite, self.folder)
        self.targets, self.dev_targets = self.suite.select(preset.targets), self.suite.select(preset.dev_targets)
        self.held_out, self.dev = self.suite.select(preset.held_out), self.suite.select(preset.dev)
        self.general = self.folder / "general"
        for task in self.suite.load(self.suite.select(preset.general)):
            if not (self.general / task.name).is_dir():
                save_task(task, self.general / task.name)
        options = EvaluationOptions(shots=[0, preset.shots], draws=preset.draws, limit=preset.limit)
        self.on_dev = Bench(self.folder / "dev", options, None, say)
        self.judged = Bench(self.folder / "judged", options, study_text(preset.text, folder), say)

    def train(self, job: Job) -> Path:
        """Train a model, unless it is there, and return its folder."""
        folder = self.folder / "runs" / job.name
        place = train_once(folder, lambda: self.recipe(job), self.say)
        # a study has many trainings, and none goes on from a finished one's optimiser
        shutil.rmtree(folder / records.CHECKPOINTS, ignore_errors=True)
        return place

    def recipe(self, job: Job) -> Recipe:
        """Return the recipe of a training."""
        preset, method = self.preset, PRESERVING[job.method]
        stages: list[dict[str, Any]] = [dict(stage) for stage in method.get("stages", [method])]
        share = float(stages[0].pop("share_of_steps", 1.0))
        for stage in stages:
            data = dict(stage.get("data", {}))
            data["mix"] = {"icl_format": 0.0, **data.get("mix", {})}
            data["episodes"] = {"budget_tokens": preset.budget_tokens, "max_examples": preset.shots + 1}
            if data["mix"].get("general"):
                data["general"] = str(self.general)
            stage["data"] = data
        return training_recipe(
            preset,
            self.suite,
            stages,
            tasks=training_paths(self.suite, str(job.task), job.seed),
            strange=preset.held_out,
            learning_rate=job.learning_rate,
            steps=max(1, round(share * preset.steps)),
            seed=job.seed,
            # each training has other tasks: rows that stand in judged ones are left out, and counted aloud
            leaks="drop",
        )

    def judge(self, job: Job) -> None:
        """Train a model and score it on what its training was for, unless that is done."""
        bench, foreign, own = self.place(job)
        bench.judge(job.name, lambda: self.train(job), foreign, own)

    def judge_all(self, jobs: Iterable[Job]) -> None:
        """Train and judge models; those that another process is at come last, so that processes share the work."""
        left = [job for job in dict.fromkeys(jobs) if not self.is_done(job)]
        for job in left:
            bench, _, _ = self.place(job)
            if not is_held(self.folder / "runs" / job.name) and not is_held(bench.folder / job.name):
                self.judge(job)
        for job in left:
            self.judge(job)

    def place(self, job: Job) -> tuple[Bench, list[Task], list[Task]]:
        """Return where a model is judged, on which foreign tasks and on which of its own."""
        task = str(job.task)
        if task in self.dev_targets:
            return (
                self.on_dev,
                self.suite.load(p for p in self.dev if p not in self.dev_targets),
                self.suite.load([task]),
            )
        own = self.targets if is_diverse(task) else [task]
        return self.judged, self.suite.load(p for p in self.held_out if p not in own), self.suite.load(own)

    def judge_base(self, *, on_dev: bool) -> None:
        """Score the model before any tuning, unless that is done."""
        model = self.preset.model
        self.judged.judge(BASE, lambda: model, self.suite.load(dict.fromkeys([*self.held_out, *self.targets])))
        if on_dev:
            self.on_dev.judge(BASE, lambda: model, self.suite.load(dict.fromkeys([*self.dev, *self.dev_targets])))

    def is_done(self, job: Job) -> bool:
        """Tell whether a model is trained and judged."""
        bench, foreign, own = self.place(job)
        return is_trained(self.folder / "runs" / job.name) and bench.is_judged(job.name, [*foreign, *own])

    def outcome(self, jobs: Sequence[Job]) -> Outcome:
        """Return what one way of tuning did, trained and judged where it is not yet: each model and the base are a pair."""
        self.judge_base(on_dev=str(jobs[0].task) in self.dev_targets)
        pairs = []
        for job in jobs:
            self.judge(job)
            bench, _, _ = self.place(job)
            folder = self.folder / "runs" / job.name
            used = read_json(folder / records.EXTRAS)["tuned"]
            stages = read_json(folder / records.MANIFEST)["stages"]
            targets = self.targets if is_diverse(str(job.task)) else [str(job.task)]
            pairs.append(
                Pair(
                    self.as_targets(targets),
                    job.seed,
                    bench.read(job.name),
                    used["seconds"],
                    used["trained_tokens"],
                    stages[list(stages)[-1]]["trained_parameters"],
                )
            )
        bench, foreign, _ = self.place(jobs[0])
        return measure_outcome(bench.read(BASE), pairs, [task.name for task in foreign], self.preset.shots)

    def as_targets(self, paths: Sequence[str]) -> tuple[Target, ...]:
        """Return tasks as what a model was tuned on."""
        tasks = self.suite.load(paths)
        return tuple(Target(path, task.name, _answers(task)) for path, task in zip(paths, tasks, strict=True))


def _answers(task: Task) -> tuple[str, ...]:
    return tuple(task.labels or dict.fromkeys(e.output for e in task.train))
