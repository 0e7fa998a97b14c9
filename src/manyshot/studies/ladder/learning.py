"""Learning curves against tokens: a training's checkpoints judged on dev, and the tokens after which one reaches another.

Checkpoints are of the one training that the report is about, so all but the last stand before the end of its schedule.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from manyshot import records
from manyshot.errors import RunError
from manyshot.files import read_json, write_json
from manyshot.records import CellLog
from manyshot.studies.methods import BASE
from manyshot.training.checkpoints import numbered, rotate
from manyshot.training.trainer import METER_FILE

# tokens by method and step, so that a curve outlives its checkpoints
TOKENS = "tokens.json"
Curve = list[list[float]]


def saved_at(steps: int, shares: Sequence[float]) -> list[int]:
    """Return the steps that are nearest to these shares of all, each once, without the last."""
    return sorted({max(1, round(share * steps)) for share in shares} - {steps})


def saving(points: Sequence[int]) -> dict[str, Any]:
    """Return the fields of TrainingArguments under which a training keeps a checkpoint at each of these steps."""
    return {"save_steps": gcd(*points), "save_total_limit": None}


def learning_curves(
    folder: Path,
    base: str,
    runs: Mapping[str, Path],
    shares: Sequence[float],
    score: Callable[[Callable[[], Path | str], str, CellLog], None],
) -> dict[str, Any]:
    """Return `{"base": score, "curves": {method: [[tokens, score], ...]}}` of trainings by method, each with its run folder.

    `score` judges a model under a name into the log in `folder`, and asks for the model's place only where that is not done
    yet: by then the checkpoints may be gone. RunError where one is missing.
    """
    log = CellLog(folder)
    place = folder / TOKENS
    tokens: dict[str, dict[str, int]] = read_json(place) if place.is_file() else {}
    score(lambda: base, f"{BASE}@0", log)
    for method, run in runs.items():
        if method not in tokens:
            tokens[method] = _tokens(run, shares)
        write_json(place, tokens)
        *points, last = tokens[method]
        for step in points:
            score(partial(_checkpoint, run, step), f"{method}@{step}", log)
        score(partial(run.joinpath, records.MODEL), f"{method}@{last}", log)
    log.finish()

    def mean(name: str) -> float:
        return round(float(np.mean([s.score for s in log.scores if s.method == name])), 6)

    curves = {m: [[n, mean(f"{m}@{step}")] for step, n in tokens[m].items()] for m in runs}
    return {"base": mean(f"{BASE}@0"), "curves": curves}


def tokens_to_reach(learning: Mapping[str, Any], method: str, other: str) -> dict[str, Any] | None:
    """Return after how many tokens a method is as good as the other is at its end, at the points that were judged.

    `tokens` and `share` (of all the other's tokens) are None where it never is. None without either's curve.
    """
    curves = learning.get("curves", {})
    if method not in curves or other not in curves:
        return None
    all_tokens, target = curves[other][-1]
    reached = next((n for n, value in curves[method] if value >= target), None)
    share = None if reached is None else round(reached / all_tokens, 4)
    return {"target": target, "base": learning["base"], "tokens": reached, "of": all_tokens, "share": share}


def drop_checkpoints(run: Path) -> None:
    """Leave a finished training the newest of its checkpoints, as if no curve had been asked for."""
    rotate(run / records.CHECKPOINTS, 1)


def _tokens(run: Path, shares: Sequence[float]) -> dict[str, int]:
    """Return the tokens that were trained until each step of the curve, the last step included."""
    recipe = yaml.safe_load((run / records.RECIPE).read_text(encoding="utf-8"))
    steps = recipe["stages"][0]["training"]["args"]["max_steps"]
    found = {str(n): read_json(_checkpoint(run, n) / METER_FILE)["n_tokens"] for n in saved_at(steps, shares)}
    return {**found, str(steps): read_json(run / records.EXTRAS)["tuned"]["trained_tokens"]}


def _checkpoint(run: Path, step: str | int) -> Path:
    place = dict(numbered(run / records.CHECKPOINTS)).get(int(step))
    if place is None:
        raise RunError(
            f"{run}: no checkpoint of step {step}, which the learning curve needs; delete the folder to train again"
        )
    return place
