"""What ways of tuning did to targets and to in-context learning, over pairs of base and tuned model, and how two compare.

A pair is one target and one seed. With A the mean over tasks of score less floor, of the tasks where demonstrations help the
base (evaluation/retention.py): icl_drop = 1 - A after / A before. Two ways of tuning are compared on the same tasks and,
where they have the same pairs, on the same pairs, so that what is hard for both cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyshot.evaluation import Judged, interval, measure_retention, task_scores
from manyshot.evaluation.intervals import N_RESAMPLES
from manyshot.seeds import generator

# the family of probes that can be answered from the prompt alone
RECALL = "recall"
# a target with less room above the base's score without shots cannot show what a tuning teaches
LEAST_ROOM = 0.10
# what the combination that is sought must do
GOAL = {
    "most_icl_drop": 0.02,
    "most_icl_drop_upper_end": 0.05,
    "least_share_of_full_target_gain": 0.95,
    "most_seconds_ratio": 1.5,
}
# of a retention report, what this study reports beside gains on targets
_KEPT = (
    "icl_drop",
    "icl_drop_ci95",
    "gain_drop",
    "held_out",
    "general_bits_per_byte_change",
    "icl_tasks",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A task that was tuned on."""

    path: str
    name: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One training: the base and what it became."""

    targets: tuple[Target, ...]
    """What gains are measured on: the task tuned on, or every target where several tasks were."""
    seed: int
    after: Judged
    seconds: float
    trained_tokens: int
    trained_parameters: int

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what two methods' pairs have in common."""
        return *(t.path for t in self.targets), self.seed


@dataclass(frozen=True, slots=True)
class Outcome:
    """One way of tuning, over its pairs."""

    pairs: tuple[Pair, ...]
    shots: int
    above_floor: np.ndarray
    """(side, pair, task): score at `shots` less the floor, before and after, of the tasks where shots help the base."""
    gains: Mapping[int, np.ndarray]
    """Shots -> (pair,): target score after less before."""
    gains_resampled: Mapping[int, np.ndarray]
    """Shots -> (pair, resample): the same on resampled queries."""
    report: Mapping[str, Any]
    """What preservation.json says of it."""

    @property
    def keys(self) -> list[tuple[Any, ...]]:
        """Return the pairs' keys, in order."""
        return [pair.key for pair in self.pairs]

    @property
    def trained_parameters(self) -> int:
        """Return how many numbers moved."""
        return self.pairs[0].trained_parameters


def measure_outcome(base: Judged, pairs: Sequence[Pair], foreign: Sequence[str], shots: int) -> Outcome:
    """Measure one way of tuning against the base on foreign tasks and on its targets."""
    kept = measure_retention([base] * len(pairs), [p.after for p in pairs], foreign=foreign).to_dict()
    tasks = list(kept["icl_tasks"])
    floors = {s.task: s.floor for s in base.scores}
    before = [_score(base, t, shots) - floors[t] for t in tasks]
    after = [[_score(p.after, t, shots) - floors[t] for t in tasks] for p in pairs]
    gains, resampled = {}, {}
    for k in (0, shots):
        gains[k] = np.array([_gain(base, p, k) for p in pairs])
        resampled[k] = np.array([_gain_resampled(base, p, k) for p in pairs])
    report = {key: kept[key] for key in _KEPT}
    report["format_ratio"] = _format_ratio(base, pairs, foreign)
    report["target_gain"] = _rounded(gains[0].mean())
    report["target_gain_ci95"] = interval(_over_pairs(resampled[0]))
    report["target_icl_gain"] = _rounded(gains[shots].mean())
    report["trained_parameters"] = pairs[0].trained_parameters
    report["trained_tokens"] = round(float(np.mean([p.trained_tokens for p in pairs])))
    report["seconds"] = round(float(np.mean([p.seconds for p in pairs])), 2)
    report["icl_drop_by_kind"] = _by_kind(base, pairs, foreign, shots)
    above = np.array([[before] * len(pairs), after]).reshape(2, len(pairs), len(tasks))
    return Outcome(tuple(pairs), shots, above, gains, resampled, report)


def difference(one: Outcome, other: Outcome, of: str) -> dict[str, Any]:
    """Return `of` (icl_drop, target_gain or target_icl_gain) of one less that of the other, with a 95 % interval.

    Bootstrap over tasks and pairs for icl_drop, over queries and pairs for gains. None where it cannot be had.
    """
    if of == "icl_drop":
        sides = [_drops(outcome, *picks) for outcome, picks in zip((one, other), _picks(one, other), strict=True)]
        points = [outcome.report["icl_drop"] for outcome in (one, other)]
        if None in points or not np.isfinite(sides).all():
            return {"difference": None, "ci95": None}
    else:
        k = 0 if of == "target_gain" else one.shots
        picks = [pairs for pairs, _ in _picks(one, other)]
        sides = [_over_pairs(o.gains_resampled[k], pick) for o, pick in zip((one, other), picks, strict=True)]
        points = [float(o.gains[k].mean()) for o in (one, other)]
    return {"difference": _rounded(points[0] - points[1]), "ci95": interval(sides[0] - sides[1])}


def rank_correlation(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return Spearman's correlation of trained parameters and icl_drop over methods, with a bootstrap interval."""
    sizes = [o.trained_parameters for o in outcomes]
    points = [o.report["icl_drop"] for o in outcomes]
    if len(outcomes) < 3 or None in points:
        return {"difference": None, "ci95": None}
    drops = np.array([_drops(o, *_picks(o, o)[0]) for o in outcomes])
    if not np.isfinite(drops).all():
        return {"difference": None, "ci95": None}
    resampled = np.array([_spearman(sizes, column) for column in drops.T])
    return {"difference": _rounded(_spearman(sizes, points)), "ci95": interval(resampled)}


def rooms(base: Judged, targets: Sequence[Target], outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, Any]]:
    """Return of each target the base's score without shots, the room above it, and the most that a method raised it by."""
    found = {}
    for target in targets:
        score = _score(base, target.name, 0)
        raised = [
            float(np.mean([g for g, pair in zip(o.gains[0], o.pairs, strict=True) if pair.targets == (target,)]))
            for o in outcomes.values()
            if any(pair.targets == (target,) for pair in o.pairs)
        ]
        most = max(raised, default=0.0)
        enough = 1 - score >= LEAST_ROOM and most >= LEAST_ROOM
        found[target.path] = {"base": _rounded(score), "room": _rounded(1 - score), "most_gain": _rounded(most)}
        found[target.path]["enough"] = bool(enough)
    return found


def against_goal(report: Mapping[str, Any], full: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return how a method stands to the goal; `reached` is None where something was not measured."""
    share = None
    if full is not None and full["target_gain"] > 0:
        share = _rounded(report["target_gain"] / full["target_gain"])
    upper = (report["icl_drop_ci95"] or [None, None])[1]
    values = {
        "icl_drop": (report["icl_drop"], "most_icl_drop"),
        "icl_drop_upper_end": (upper, "most_icl_drop_upper_end"),
        "share_of_full_target_gain": (share, "least_share_of_full_target_gain"),
        "seconds_ratio": (report.get("seconds_ratio"), "most_seconds_ratio"),
    }
    standing: dict[str, Any] = {name: value for name, (value, _) in values.items()}
    if None in standing.values():
        return {**standing, "reached": None}
    standing["reached"] = all(
        v >= GOAL[limit] if limit.startswith("least") else v <= GOAL[limit] for v, limit in values.values()
    )
    return standing


def _score(judged: Judged, task: str, shots: int) -> float:
    return float(np.mean([s.score for s in judged.scores if s.task == task and s.shots == shots]))


def _gain(base: Judged, pair: Pair, shots: int) -> float:
    return float(np.mean([_score(pair.after, t.name, shots) - _score(base, t.name, shots) for t in pair.targets]))


def _gain_resampled(base: Judged, pair: Pair, shots: int) -> np.ndarray:
    names = {t.name for t in pair.targets}
    sides = []
    for side in (pair.after, base):
        scores = [s for s in side.scores if s.task in names and s.shots == shots]
        found = task_scores(scores, [p for p in side.predictions if p.task in names and p.shots == shots])
        sides.append({task: r for (_, task, _), r in found.items()})
    both = {task: sides[0][task].paired_with(sides[1][task]) for task in names}
    return np.mean([a.resampled(task) - b.resampled(task) for task, (a, b) in both.items()], axis=0)


def _format_ratio(base: Judged, pairs: Sequence[Pair], foreign: Sequence[str]) -> float | None:
    """Return the share of generated outputs on foreign tasks that are answers of the pair's own target; single-task pairs."""
    ratios = []
    for target in {p.targets for p in pairs if len(p.targets) == 1}:
        after = [p.after for p in pairs if p.targets == target]
        answers = {target[0].name: target[0].answers}
        ratio = measure_retention([base] * len(after), after, targets=answers, foreign=foreign).format_ratio
        ratios += [ratio] * len(after)
    known = [ratio for ratio in ratios if ratio is not None]
    return _rounded(float(np.mean(known))) if known else None


def _by_kind(base: Judged, pairs: Sequence[Pair], foreign: Sequence[str], shots: int) -> dict[str, float | None]:
    """Return the drop on tasks of recall and on all others apart, where both are judged: they need not move together."""
    families = {s.task: s.family for s in base.scores if s.task in foreign and s.shots == shots}
    kinds = {
        "recall": [t for t in families if families[t] == RECALL],
        "other": [t for t in families if families[t] != RECALL],
    }
    if not all(kinds.values()):
        return {}
    after = [p.after for p in pairs]
    return {kind: measure_retention([base] * len(after), after, foreign=t).icl_drop for kind, t in kinds.items()}


def seconds_ratio(one: Outcome, other: Outcome) -> float | None:
    """Return the median over trainings of the same task and seed of one's seconds to the other's; None without such pairs."""
    of = {pair.key: pair.seconds for pair in other.pairs}
    ratios = [pair.seconds / of[pair.key] for pair in one.pairs if of.get(pair.key)]
    return _rounded(np.median(ratios)) if ratios else None


def _picks(one: Outcome, other: Outcome) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return drawn pairs (resample, pair) and tasks (resample, task) for both: shared wherever they can be."""
    n_tasks = one.above_floor.shape[2]
    tasks = (
        generator(0, "tasks", n_tasks).integers(0, n_tasks, (N_RESAMPLES, n_tasks))
        if n_tasks
        else np.zeros((1, 0), int)
    )
    drawn = []
    for outcome, name in ((one, "one"), (other, "one" if one.keys == other.keys else "other")):
        n = len(outcome.pairs)
        drawn.append((generator(0, "pairs", name, n).integers(0, n, (N_RESAMPLES, n)), tasks))
    return drawn


def _drops(outcome: Outcome, pairs: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """Return resampled drops (resample,); not a number where the base's drawn tasks have nothing to lose."""
    if not tasks.size:
        return np.full(N_RESAMPLES, np.nan)
    before, after = (side[pairs[:, :, None], tasks[:, None, :]].mean(axis=(1, 2)) for side in outcome.above_floor)
    return 1 - after / np.where(before > 0, before, np.nan)


def _over_pairs(resampled: np.ndarray, picks: np.ndarray | None = None) -> np.ndarray:
    """Return resampled means (resample,) of (pair, resample): other queries and other pairs."""
    n, n_resamples = resampled.shape
    if picks is None:
        picks = generator(0, "pairs", "one", n).integers(0, n, (n_resamples, n))
    return resampled[picks, np.arange(n_resamples)[:, None]].mean(axis=1)


def _spearman(sizes: Sequence[float], drops: Sequence[float] | np.ndarray) -> float:
    ranks = [_ranks(np.asarray(values, float)) for values in (sizes, drops)]
    spread = [r.std() for r in ranks]
    if min(spread) == 0:
        return 0.0
    return float(((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())).mean() / (spread[0] * spread[1]))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 0, equal values sharing their mean."""
    return np.array([(values < v).sum() + ((values == v).sum() - 1) / 2 for v in values])


def _rounded(value: Any) -> Any:
    return None if value is None else round(float(value), 4)
