"""The ladder: one model tuned by several methods on equal tokens, judged side by side. Resumable; skips what is done.

FOLDER/recipe.yaml            the resolved preset
FOLDER/runs/METHOD-lrL-seedS  a run folder a training
FOLDER/dev/                   scores on dev tasks by METHOD@L, which learning rates are chosen from
FOLDER/                       a run folder of all methods: scores, predictions, summary.json, report.html
FOLDER/ladder.json            the summary with seeds, learning rates, paired differences
"""

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.evaluation import Benchmark, EvaluationOptions, bits_per_byte, summarise
from manyshot.evaluation.retention import Judged, measure_retention
from manyshot.files import read_json, write_json, write_text
from manyshot.inference import Reader
from manyshot.judging import claim_folder, describe
from manyshot.models import load_model
from manyshot.recipe import Recipe
from manyshot.records import CellLog, Prediction, Score
from manyshot.studies.examples import worked_examples
from manyshot.studies.jobs import Job, is_trained, train_once
from manyshot.studies.methods import BASE, METHODS
from manyshot.studies.paired import paired_differences, ratio_to_dedicated
from manyshot.studies.preset import LadderPreset
from manyshot.studies.recipes import training_recipe
from manyshot.tasks import Task, open_corpus, open_suite
from manyshot.tasks.builtin import write_suite

Say = Callable[[str], None]
RESULT = "ladder.json"
# tasks of dev that learning rates of dedicated models are chosen on: each costs a training
N_DEDICATED_DEV = 3


class Ladder:
    """A preset carried out in a folder."""

    def __init__(self, preset: LadderPreset, folder: str | Path, say: Say = lambda line: None) -> None:
        self.preset, self.folder, self.say = preset, Path(folder), say
        claim_folder(self.folder, preset.to_yaml(), say)
        place = write_suite(self.folder / "tasks") if preset.suite == "builtin" else Path(preset.suite)
        self.suite = open_suite(place)
        held = self.suite.select(preset.held_out)
        self.judged = [(task, "held_out") for task in self.suite.load(held)]
        self.seen_paths = self.suite.select(preset.seen) if preset.seen else ()
        self.judged += [(task, "seen") for task in self.suite.load(self.seen_paths)]
        self.dev_paths = self.suite.select(preset.dev)

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
        rates = self.chosen()
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
        return train_once(self.folder / "runs" / job.name, lambda: self.recipe(job), self.say)

    def recipe(self, job: Job) -> Recipe:
        """Return the recipe of a training."""
        preset = self.preset
        return training_recipe(
            preset,
            self.suite,
            {**METHODS[job.method].stage(preset.budget_tokens), "tuning": preset.tuning.model_dump()},
            tasks=[job.task] if job.task else preset.train,
            # a dedicated model's task may be one of dev: only the report's tasks must be strange to it
            strange=preset.held_out if job.task else [*preset.dev, *preset.held_out],
            learning_rate=job.learning_rate,
            steps=preset.dedicated_steps if job.task else preset.steps,
            seed=job.seed,
        )

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
        preset, folder = self.preset, self.folder / "dev"
        log = CellLog(folder)
        for job in jobs:
            shots = [0] if job.task else preset.dev_shots
            options = EvaluationOptions(shots=shots, draws=1 if job.task else preset.draws, limit=preset.dev_limit)
            tasks = self.suite.load([job.task] if job.task else self.dev_paths)
            name = f"{job.method}@{job.learning_rate:g}"
            wanted = {(name, task.name, k, d) for task in tasks for k in shots for d in range(options.draws)}
            if not wanted <= log.done:
                self._score(self.train(job), name, tasks, options, log, range(options.draws))
        log.finish()
        names = {f"{job.method}@{job.learning_rate:g}" for job in jobs}
        return {name: float(np.mean([s.score for s in log.scores if s.method == name])) for name in names}

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
        preset = self.preset
        rates = self.chosen()
        options = EvaluationOptions(shots=preset.shots, draws=preset.draws * len(preset.seeds), limit=preset.limit)
        manifest_place = self.folder / records.MANIFEST
        if not manifest_place.is_file():
            write_json(manifest_place, describe(self.judged, options, 0, preset.hash))
        log = CellLog(self.folder)
        tasks = [task for task, _ in self.judged]
        self._judge(preset.model, BASE, tasks, options, log, range(options.draws))
        for number, seed in enumerate(preset.seeds):
            # each seed has demonstrations of its own; the base reads them all
            draws = range(number * preset.draws, (number + 1) * preset.draws)
            for method in preset.methods:
                for job in self._jobs(method, rates[method], seed, self.seen_paths):
                    if job.task:
                        alone = options.model_copy(update={"shots": [0]})
                        own = self.suite.load([job.task])
                        self._judge(lambda j=job: self.train(j), method, own, alone, log, draws)
                    else:
                        self._judge(lambda j=job: self.train(j), method, tasks, options, log, draws)
        log.finish()
        result = self._result(rates)
        if "manyicl" in preset.methods:
            first = self.folder / "runs" / Job("manyicl", rates["manyicl"], preset.seeds[0]).name
            write_text(self.folder / records.METRICS, (first / records.METRICS).read_text(encoding="utf-8"))
        examples = worked_examples([t for t, role in self.judged if role == "held_out"], self.folder, preset.shots)
        write_json(self.folder / records.EXAMPLES, examples)
        write_json(self.folder / records.SUMMARY, result)
        write_json(self.folder / RESULT, result)
        return read_json(self.folder / RESULT)

    def _judge(
        self,
        model: str | Callable[[], Path],
        method: str,
        tasks: Sequence[Task],
        options: EvaluationOptions,
        log: CellLog,
        draws: range,
    ) -> None:
        wanted = {(method, task.name, k, d) for task in tasks for k in options.shots for d in draws}
        if not wanted <= log.done:
            self._score(model if isinstance(model, str) else model(), method, tasks, options, log, draws)
            manifest = read_json(self.folder / records.MANIFEST)
            manifest["held_out_reads"] = manifest.get("held_out_reads", 0) + 1
            write_json(self.folder / records.MANIFEST, manifest)

    def _result(self, rates: dict[str, float]) -> dict[str, Any]:
        preset = self.preset
        roles = {task.name: role for task, role in self.judged}
        extras = {name: self._consumed(name, rates) for name in (BASE, *preset.methods)}
        summary = summarise(self.folder, roles, extras, base=BASE)
        scores, predictions = records.read_scores(self.folder), records.read_predictions(self.folder)
        held_out = [task.name for task, role in self.judged if role == "held_out"]
        others = [m for m in preset.methods if not METHODS[m].dedicated]
        pairs = [(m, BASE) for m in others] + [("manyicl", m) for m in others if "manyicl" in others and m != "manyicl"]
        most = max(preset.shots)
        return {
            **summary,
            "seeds": preset.seeds,
            "learning_rates": rates,
            "meanings": {name: METHODS[name].meaning for name in preset.methods},
            "paired": paired_differences(scores, predictions, held_out, pairs),
            "to_dedicated": {m: ratio_to_dedicated(scores, m, most) for m in others}
            if "dedicated_ft" in preset.methods
            else {},
            "retention": self._retention(scores, predictions, summary),
            "preset_hash": preset.hash,
        }

    def _retention(
        self, scores: Sequence[Score], predictions: Sequence[Prediction], summary: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what each method left of the base's in-context learning, paired with it by seed."""
        labels = {task.name: tuple(task.labels or {e.output for e in task.test}) for task, _ in self.judged}
        seen = {task.name: labels[task.name] for task, role in self.judged if role == "seen"}

        def judged(method: str, number: int) -> Judged:
            draws = range(number * self.preset.draws, (number + 1) * self.preset.draws)
            bits = summary["methods"][method].get("general_bits_per_byte")
            own_scores = [s for s in scores if s.method == method and s.draw in draws]
            return Judged(own_scores, [p for p in predictions if p.method == method and p.draw in draws], bits)

        found = {}
        for method in self.preset.methods:
            if not METHODS[method].dedicated:
                sides = [[judged(m, i) for i in range(len(self.preset.seeds))] for m in (BASE, method)]
                found[method] = measure_retention(sides[0], sides[1], targets=seen).to_dict()
        return found

    def _consumed(self, method: str, rates: dict[str, float]) -> dict[str, Any]:
        """Return tokens, supervised answers and seconds, a mean over seeds; of dedicated models the sum over tasks."""
        if method == BASE:
            fields: dict[str, Any] = {"trained_tokens": 0, "supervised_answers": 0, "seconds": 0.0}
            places = [self.preset.model]
        else:
            jobs = [j for seed in self.preset.seeds for j in self._jobs(method, rates[method], seed, self.seen_paths)]
            each = [read_json(self.folder / "runs" / job.name / records.EXTRAS)["tuned"] for job in jobs]
            n = len(self.preset.seeds)
            fields = {key: round(sum(e[key] for e in each) / n, 1) for key in each[0]}
            fields |= {key: round(fields[key]) for key in ("trained_tokens", "supervised_answers")}
            places = [] if METHODS[method].dedicated else [str(self.folder / "runs" / j.name / "model") for j in jobs]
        if self.preset.text and places:
            fields["general_bits_per_byte"] = self._bits(method, places)
        return fields

    def _bits(self, method: str, places: Sequence[str]) -> float:
        """Return bits per byte on the preset's text, a mean over seeds; kept once measured."""
        cache = self.folder / "bits_per_byte.json"
        known = read_json(cache) if cache.is_file() else {}
        if method not in known:
            corpus = open_corpus(str(self.preset.text))
            values = []
            for place in places:
                loaded = load_model(place)
                values.append(bits_per_byte(loaded.model, loaded.tokenizer, corpus, max_bytes=50_000))
            known[method] = round(float(np.mean(values)), 4)
            write_json(cache, known)
        return known[method]
