"""Ways of tuning on one task, compared by what they teach and what they leave of in-context learning. Resumable.

FOLDER/recipe.yaml                  the resolved preset
FOLDER/tasks, FOLDER/general        the suite, where it is the generated one, and the tasks mixed in
FOLDER/runs/METHOD-lrL-seedS-TASK   a run folder a training
FOLDER/dev, FOLDER/judged           run folders of scores, under METHOD-lrL-seedS-TASK
FOLDER/preservation.json            what came out
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.errors import RunError
from manyshot.evaluation import Benchmark, EvaluationOptions, bits_per_byte
from manyshot.evaluation.retention import Judged, Retention, measure_retention
from manyshot.files import read_json, write_json
from manyshot.inference import Reader
from manyshot.judging import claim_folder
from manyshot.models import load_model
from manyshot.recipe import Recipe
from manyshot.records import CellLog
from manyshot.studies.jobs import Job, train_once
from manyshot.studies.methods import BASE, PRESERVING
from manyshot.studies.preset import PreservationPreset
from manyshot.studies.recipes import training_recipe
from manyshot.tasks import Task, open_corpus, open_suite, save_task
from manyshot.tasks.builtin import write_suite

Say = Callable[[str], None]
RESULT = "preservation.json"
DIVERSE = "diverse"
# methods that are also tuned on all training tasks at once
DIVERSE_METHODS = ("full", "lora")
# with less there is nothing to lose
LEAST_GAIN_FROM_SHOTS = 0.15
# a combination must teach this share of what full tuning does to be called best
LEAST_SHARE_OF_FULL = 0.95


class Preservation:
    """A preset carried out in a folder."""

    def __init__(self, preset: PreservationPreset, folder: str | Path, say: Say = lambda line: None) -> None:
        self.preset, self.folder, self.say = preset, Path(folder), say
        claim_folder(self.folder, preset.to_yaml(), say)
        self.suite = open_suite(write_suite(self.folder / "tasks") if preset.suite == "builtin" else Path(preset.suite))
        self.targets, self.dev_targets = self.suite.select(preset.targets), self.suite.select(preset.dev_targets)
        self.held_out, self.dev = self.suite.select(preset.held_out), self.suite.select(preset.dev)
        self.general = self.folder / "general"
        for task in self.suite.load(self.suite.select(preset.general)):
            if not (self.general / task.name).is_dir():
                save_task(task, self.general / task.name)

    # ---- training

    def train(self, job: Job) -> Path:
        """Train a model, unless it is there, and return its folder."""
        return train_once(self.folder / "runs" / job.name, lambda: self.recipe(job), self.say)

    def recipe(self, job: Job) -> Recipe:
        """Return the recipe of a training."""
        preset = self.preset
        stage: dict[str, Any] = {key: dict(value) for key, value in PRESERVING[job.method].items()}
        data = stage.setdefault("data", {})
        data["mix"] = {"icl_format": 0.0, **data.get("mix", {})}
        data["episodes"] = {"budget_tokens": preset.budget_tokens, "max_examples": preset.shots + 1}
        if data["mix"].get("general"):
            data["general"] = str(self.general)
        return training_recipe(
            preset,
            self.suite,
            stage,
            tasks=["train"] if job.task == DIVERSE else [str(job.task)],
            strange=preset.held_out,
            learning_rate=job.learning_rate,
            steps=preset.steps,
            seed=job.seed,
        )

    # ---- judging

    def _judge(self, name: str, model: Callable[[], Path | str], tasks: Sequence[Task], where: str) -> None:
        """Score a model at no and at the preset's shots, unless it is done; its bits per byte beside the scores."""
        preset, folder = self.preset, self.folder / where
        log = CellLog(folder)
        options = EvaluationOptions(shots=[0, preset.shots], draws=preset.draws, limit=preset.limit)
        if {(name, t.name, k, d) for t in tasks for k in options.shots for d in range(options.draws)} <= log.done:
            return
        loaded = load_model(str(model()))
        Benchmark(tasks, options, log, say=self.say).run(name, Reader(loaded.model, loaded.tokenizer))
        if preset.text and where == "judged":
            bits = bits_per_byte(loaded.model, loaded.tokenizer, open_corpus(preset.text), max_bytes=50_000)
            place = folder / records.EXTRAS
            known = read_json(place) if place.is_file() else {}
            write_json(place, {**known, name: {"general_bits_per_byte": round(bits, 4)}})
        log.finish()
        del loaded
        gc.collect()

    def _judged(self, name: str, where: str) -> Judged:
        """Return what is known of a model, under the method's name `base` or `tuned` alike."""
        log, folder = CellLog(self.folder / where), self.folder / where
        extras = read_json(folder / records.EXTRAS) if (folder / records.EXTRAS).is_file() else {}
        rows = [p for p in records.read_predictions(folder) if p.method == name]
        return Judged(
            [replace(s, method="model") for s in log.scores if s.method == name],
            [replace(p, method="model") for p in rows],
            extras.get(name, {}).get("general_bits_per_byte"),
        )

    # ---- choosing on dev

    def _rates(self, method: str) -> list[float]:
        return [rate * self.preset.scales.get(method, 1.0) for rate in self.preset.learning_rates]

    def _on_dev(self, method: str, rate: float) -> tuple[float, Retention]:
        """Return the mean score on dev targets without shots, and what is left of in-context learning on dev."""
        before, after, scores = [], [], []
        for target in self.dev_targets:
            job = Job(method, rate, self.preset.seeds[0], target)
            tasks = self.suite.load(list(dict.fromkeys([*self.dev, target])))
            self._judge(BASE, lambda: self.preset.model, tasks, "dev")
            self._judge(job.name, lambda job=job: self.train(job), tasks, "dev")
            own = self.suite.load([target])[0].name
            before.append(self._judged(BASE, "dev"))
            after.append(self._judged(job.name, "dev"))
            scores += [s.score for s in after[-1].scores if s.task == own and s.shots == 0]
        foreign = [t.name for t in self.suite.load([p for p in self.dev if p not in self.dev_targets])]
        return float(np.mean(scores)), measure_retention(before, after, foreign=foreign)

    def chosen(self) -> dict[str, float]:
        """Return each method's learning rate: the preset's, or the one that teaches dev targets best, the lower if equal."""
        found = dict(self.preset.chosen)
        for method in self.preset.methods:
            if method not in found:
                found[method] = max(sorted(self._rates(method)), key=lambda rate: self._on_dev(method, rate)[0])
        return found

    def _best(self, rates: dict[str, float]) -> str | None:
        """Return the candidate that keeps most on dev among those that teach nearly what full tuning does."""
        candidates = [m for m in self.preset.candidates if m in self.preset.methods]
        if not candidates or "full" not in self.preset.methods:
            return None
        full = self._on_dev("full", rates["full"])[0]
        results = {m: self._on_dev(m, rates[m]) for m in candidates}
        able = [m for m in candidates if results[m][0] >= LEAST_SHARE_OF_FULL * full] or candidates
        return min(able, key=lambda m: results[m][1].icl_drop or 0.0)

    # ---- the report

    def execute(self) -> dict[str, Any]:
        """Do whatever is not yet done and return what preservation.json holds. RunError where there is nothing to lose."""
        preset = self.preset
        tasks = self.suite.load(list(dict.fromkeys([*self.held_out, *self.targets])))
        self._judge(BASE, lambda: preset.model, tasks, "judged")
        gain = self._gain_from_shots()
        self.say(f"the base gains {gain:.3f} from {preset.shots} shots on {len(self.held_out)} held-out tasks")
        if gain < LEAST_GAIN_FROM_SHOTS:
            raise RunError(
                f"{preset.model}: gains {gain:.3f} from {preset.shots} shots, {LEAST_GAIN_FROM_SHOTS} is needed: there is no "
                "in-context learning to lose; take another model, or other tasks as held_out"
            )
        rates = self.chosen()
        seconds: dict[str, float] = {}
        found = {m: self._measured(m, rates[m], self.targets, tasks, seconds) for m in preset.methods}
        for method in found:
            found[method]["seconds_ratio"] = round(seconds[method] / seconds["full"], 3) if "full" in seconds else None
            found[method]["learning_rate"] = rates[method]
        diverse = {m: self._measured(m, rates[m], [DIVERSE], tasks, {}) for m in DIVERSE_METHODS if m in preset.methods}
        result = {
            "base": {"gain_from_shots": round(gain, 4)},
            "seeds": preset.seeds,
            "targets": list(self.targets),
            "shots": preset.shots,
            "methods": found,
            "diverse": diverse,
            "best": self._best(rates),
            "selected_on": "dev",
            "preset_hash": preset.hash,
        }
        write_json(self.folder / RESULT, result)
        return read_json(self.folder / RESULT)

    def _gain_from_shots(self) -> float:
        names = {task.name for task in self.suite.load(self.held_out)}
        scores = [s for s in CellLog(self.folder / "judged").scores if s.method == BASE and s.task in names]
        at = {k: float(np.mean([s.score for s in scores if s.shots == k])) for k in (0, self.preset.shots)}
        return at[self.preset.shots] - at[0]

    def _measured(
        self, method: str, rate: float, targets: Sequence[str], tasks: Sequence[Task], seconds: dict[str, float]
    ) -> dict[str, Any]:
        """Return what a method did, over targets and seeds: each pair of base and tuned model counts as a seed."""
        before, after, gains = [], [], {0: [], self.preset.shots: []}
        base = self._judged(BASE, "judged")
        answers: dict[str, tuple[str, ...]] = {}
        for target in targets:
            for seed in self.preset.seeds:
                job = Job(method, rate, seed, target)
                self._judge(job.name, lambda job=job: self.train(job), tasks, "judged")
                extras = read_json(self.folder / "runs" / job.name / records.EXTRAS)["tuned"]
                seconds[method] = seconds.get(method, 0.0) + extras["seconds"]
                before.append(base)
                after.append(self._judged(job.name, "judged"))
                if target != DIVERSE:
                    own = self.suite.load([target])[0]
                    answers[own.name] = tuple(own.labels or {e.output for e in own.train})
                    for k, values in gains.items():
                        values.append(_score(after[-1], own.name, k) - _score(base, own.name, k))
        foreign = [task.name for task in self.suite.load(self.held_out)]
        kept = measure_retention(before, after, targets=answers, foreign=foreign).to_dict()
        report = {key: kept[key] for key in KEPT}
        if gains[0]:
            report["target_gain"] = round(float(np.mean(gains[0])), 4)
            report["target_icl_gain"] = round(float(np.mean(gains[self.preset.shots])), 4)
        return report


# of a retention report, what this study reports beside gains on targets
KEPT = (
    "icl_drop",
    "icl_drop_ci95",
    "gain_drop",
    "held_out",
    "general_bits_per_byte_change",
    "format_ratio",
    "icl_tasks",
)


def _score(judged: Judged, task: str, shots: int) -> float:
    return float(np.mean([s.score for s in judged.scores if s.task == task and s.shots == shots]))
