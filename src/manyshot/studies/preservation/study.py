"""Ways of tuning on one task, compared by what they teach and what they leave of in-context learning. Resumable, and shared
by processes that are started alike.

FOLDER/recipe.yaml                  the resolved preset
FOLDER/tasks, FOLDER/general        the suite, where it is made here, and the tasks mixed in
FOLDER/runs/METHOD-lrL-seedS-TASK   a run folder a training
FOLDER/dev, FOLDER/judged           a run folder of scores a model, under METHOD-lrL-seedS-TASK or base
FOLDER/where.json                   where in-context learning went in one model, where that is asked for
FOLDER/preservation.json            what came out; preservation.md, report.html and figures/ say it for people
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.errors import RunError
from manyshot.files import read_json, write_json
from manyshot.judging import claim_folder, describe
from manyshot.studies.jobs import Job, alone
from manyshot.studies.methods import BASE, tuning_of
from manyshot.studies.preservation.claims import claims_of_where, measure_claims
from manyshot.studies.preservation.report import GOAL, Outcome, against_goal, rooms, seconds_ratio
from manyshot.studies.preservation.tasks import DIVERSE, sweep_name, training_paths
from manyshot.studies.preservation.trainings import Trainings
from manyshot.studies.preservation.where import where_it_lives
from manyshot.studies.preset import PreservationPreset

Say = Callable[[str], None]
RESULT, WHERE = "preservation.json", "where.json"
# methods that are also tuned on all training tasks at once
DIVERSE_METHODS = ("full", "lora")
# with less there is nothing to lose
LEAST_GAIN_FROM_SHOTS = 0.15
# a combination must teach this share of what full tuning does to be called best, and a learning rate of what others do
LEAST_SHARE_OF_FULL = GOAL["least_share_of_full_target_gain"]


class Preservation:
    """A preset carried out in a folder."""

    def __init__(self, preset: PreservationPreset, folder: str | Path, say: Say = lambda line: None) -> None:
        self.preset, self.folder, self.say = preset, Path(folder), say
        claim_folder(self.folder, preset.to_yaml(), say)
        self.work = Trainings(preset, self.folder, say)
        self.suite, self.targets, self.held_out = self.work.suite, self.work.targets, self.work.held_out

    # ---- what there is to train and judge

    def grid(self) -> list[Job]:
        """Return the trainings that learning rates are chosen by, of the methods that have none yet."""
        preset = self.preset
        leaders = dict.fromkeys(self._leader(m) for m in preset.methods if m not in preset.chosen)
        return [
            Job(m, rate, preset.seeds[0], t)
            for m in leaders
            if m not in preset.chosen
            for rate in self._rates(m)
            for t in self.work.dev_targets
        ]

    def candidates(self) -> list[Job]:
        """Return the trainings on dev targets that `best` is chosen by; learning rates must be chosen."""
        rates, names = self.chosen(), self._candidates()
        return [
            Job(m, rates[m], self.preset.seeds[0], t)
            for m in dict.fromkeys([*names, "full"] if names else [])
            for t in self.work.dev_targets
        ]

    def finals(self) -> list[Job]:
        """Return the trainings that the report is about; learning rates must be chosen."""
        rates = self.chosen()
        jobs = [Job(m, rates[m], s, t) for m in self.preset.methods for t in self.targets for s in self.preset.seeds]
        for method in DIVERSE_METHODS:
            if method in self.preset.methods:
                jobs += self._of(method, rates, [DIVERSE])
        return jobs + (self._of("full", rates, self._sweeps()) if self._sweeps() else [])

    def todo(self) -> list[Job]:
        """Return the trainings that can be done now and are not, or whose models are not yet judged: those of the grid,
        when they are, those that `best` is chosen by, and then the report's."""
        self.gain_from_shots()
        for jobs in (self.grid, self.candidates, self.finals):
            left = [job for job in jobs() if not self.work.is_done(job)]
            if left:
                return list(dict.fromkeys(left))
        return []

    def _of(self, method: str, rates: dict[str, float], tasks: Sequence[str]) -> list[Job]:
        return [Job(method, rates[method], seed, task) for task in tasks for seed in self.preset.seeds]

    def _sweeps(self) -> list[str]:
        preset = self.preset
        names = [sweep_name(n) for n in preset.diversity]
        # one task is of one family anyway
        return names + [
            sweep_name(n, one_family=True) for n in preset.diversity if n > 1 and preset.diversity_one_family
        ]

    def judge(self, job: Job) -> None:
        """Train a model and score it on what its training was for, unless that is done."""
        self.work.judge(job)

    # ---- choosing on dev

    def _leader(self, method: str) -> str:
        """Return the method whose learning rate this one takes: itself, or the first that moves the same parameters."""
        if not self.preset.share_rates:
            return method
        return next(m for m in self.preset.methods if tuning_of(m) == tuning_of(method))

    def _rates(self, method: str) -> list[float]:
        return [rate * self.preset.scales.get(method, 1.0) for rate in self.preset.learning_rates]

    def _candidates(self) -> list[str]:
        known = [m for m in self.preset.candidates if m in self.preset.methods]
        return known if "full" in self.preset.methods else []

    def _on_dev(self, method: str, rate: float) -> Outcome:
        """Return what a method did to the dev targets, and to in-context learning on dev."""
        return self.work.outcome([Job(method, rate, self.preset.seeds[0], target) for target in self.work.dev_targets])

    def chosen(self) -> dict[str, float]:
        """Return each method's learning rate: the preset's, or the lowest that teaches dev targets nearly what the best does."""
        preset, found = self.preset, dict(self.preset.chosen)
        self.work.judge_all(self.grid())
        for method in preset.methods:
            leader = self._leader(method)
            if method not in found and leader not in found:
                rates = sorted(self._rates(leader))
                found[leader] = gentlest({rate: self._on_dev(leader, rate).report["target_gain"] for rate in rates})
            found.setdefault(method, found[leader])
        return found

    def _best(self, rates: dict[str, float]) -> str | None:
        """Return the candidate that keeps most on dev among those that teach nearly what full tuning does in the time allowed."""
        candidates = self._candidates()
        if not candidates:
            return None
        full = self._on_dev("full", rates["full"])
        outcomes = {m: self._on_dev(m, rates[m]) for m in candidates}
        results = {m: outcome.report for m, outcome in outcomes.items()}
        able = [m for m in candidates if results[m]["target_gain"] >= LEAST_SHARE_OF_FULL * full.report["target_gain"]]
        able = [m for m in able if (seconds_ratio(outcomes[m], full) or 0.0) <= GOAL["most_seconds_ratio"]]
        if not able:
            self.say(
                f"best: no candidate teaches {LEAST_SHARE_OF_FULL:.0%} of what full does on dev in "
                f"{GOAL['most_seconds_ratio']} times its time; all are compared"
            )
        return min(able or candidates, key=lambda m: _lost(results[m]))

    # ---- the report

    def execute(self) -> dict[str, Any]:
        """Do whatever is not yet done and return what preservation.json holds. RunError where there is nothing to lose."""
        preset = self.preset
        gain = self.gain_from_shots()
        rates = self.chosen()
        for jobs in (self.candidates(), self.finals()):
            self.work.judge_all(jobs)
        outcomes = {m: self.work.outcome(self._of(m, rates, self.targets)) for m in preset.methods}
        for method in DIVERSE_METHODS:
            if method in preset.methods:
                outcomes[f"{method}, {DIVERSE}"] = self.work.outcome(self._of(method, rates, [DIVERSE]))
        reports = {name: self._report(name, outcome, outcomes, rates) for name, outcome in outcomes.items()}
        best = self._best(rates)
        full = reports.get("full")
        found = {name: reports[name] for name in preset.methods}
        result: dict[str, Any] = {
            "base": {"gain_from_shots": round(gain, 4)},
            "seeds": preset.seeds,
            "targets": list(self.targets),
            "shots": preset.shots,
            "methods": found | ({"best": {"name": best, **found[best]}} if best else {}),
            "diverse": {name.split(",")[0]: r for name, r in reports.items() if name not in found},
            "best": best,
            "selected_on": "dev",
            "goal": {**GOAL, "standing": {name: against_goal(r, full) for name, r in found.items()}},
            "rooms": self._rooms(outcomes),
            "claims": measure_claims(outcomes),
            "diversity": self._diversity(rates),
            "preset_hash": preset.hash,
        }
        if preset.where:
            result["where"] = self._where(rates)
            result["claims"] += claims_of_where(result["where"])
        write_json(self.folder / RESULT, result)
        self._describe()
        return read_json(self.folder / RESULT)

    def gain_from_shots(self) -> float:
        """Return what the base gains from demonstrations on held-out tasks. RunError where that is next to nothing."""
        preset = self.preset
        self.work.judge_base(on_dev=False)
        names = {task.name for task in self.suite.load(self.held_out)}
        scores = [s for s in self.work.judged.read(BASE).scores if s.task in names]
        at = {k: float(np.mean([s.score for s in scores if s.shots == k])) for k in (0, preset.shots)}
        gain = at[preset.shots] - at[0]
        self.say(f"the base gains {gain:.3f} from {preset.shots} shots on {len(self.held_out)} held-out tasks")
        if gain < LEAST_GAIN_FROM_SHOTS:
            raise RunError(
                f"{preset.model}: gains {gain:.3f} from {preset.shots} shots, {LEAST_GAIN_FROM_SHOTS} is needed: there is no "
                "in-context learning to lose; take another model, or other tasks as held_out"
            )
        return gain

    def _report(
        self, name: str, outcome: Outcome, outcomes: dict[str, Outcome], rates: dict[str, float]
    ) -> dict[str, Any]:
        method = name.split(",")[0]
        full = outcomes.get("full")
        ratio = seconds_ratio(outcome, full) if full and DIVERSE not in name else None
        return {**outcome.report, "seconds_ratio": ratio, "learning_rate": rates[method]}

    def _rooms(self, outcomes: dict[str, Outcome]) -> dict[str, Any]:
        found = rooms(self.work.judged.read(BASE), self.work.as_targets(self.targets), outcomes)
        for path, room in found.items():
            if not room["enough"]:
                self.say(
                    f"{path}: the base scores {room['base']:.3f} without shots and no method raised it by more than "
                    f"{room['most_gain']:.3f}; .10 of room and of gain are needed to tell ways of tuning apart"
                )
        return found

    def _diversity(self, rates: dict[str, float]) -> dict[str, Any]:
        found = {}
        for name in self._sweeps():
            outcome = self.work.outcome(self._of("full", rates, [name]))
            sets = [training_paths(self.suite, name, seed) for seed in self.preset.seeds]
            families = [len({task.family for task in self.suite.load(paths)}) for paths in sets]
            counts = {"n_tasks": len(sets[0]), "n_families": max(families)}
            found[name.removeprefix(f"{DIVERSE}-")] = {**counts, **outcome.report}
        return found

    def _where(self, rates: dict[str, float]) -> dict[str, Any]:
        job = Job("full", rates["full"], self.preset.seeds[0], self.targets[0])
        bench, foreign, own = self.work.place(job)
        tasks = self.work.outcome([job]).report["icl_tasks"]
        place = self.folder / WHERE
        with alone(place):
            if not place.is_file():
                judged = [task for task in foreign if task.name in tasks]
                found = where_it_lives(self.work.train(job), self.preset.model, judged, own[0], bench.options, self.say)
                write_json(place, {"model": job.name, **found})
        return read_json(place)

    def _describe(self) -> None:
        """Write the manifest: held-out tasks are read once by each model that is judged on them."""
        judged = [(t, self.suite.role(p)) for p, t in zip(self.held_out, self.suite.load(self.held_out), strict=True)]
        manifest = describe(judged, self.work.judged.options, 0, self.preset.hash)
        reads = len(list((self.folder / "judged").glob(f"*/{records.SCORES}")))
        write_json(self.folder / records.MANIFEST, {**manifest, "held_out_reads": reads})


def gentlest(gains: Mapping[float, float]) -> float:
    """Return the lowest rate that teaches nearly what the best one does: a higher one costs more than it teaches."""
    most = max(gains.values())
    least = most - (1 - LEAST_SHARE_OF_FULL) * abs(most)
    return min(rate for rate, gain in gains.items() if gain >= least)


def _lost(report: Mapping[str, Any]) -> float:
    return inf if report["icl_drop"] is None else report["icl_drop"]
