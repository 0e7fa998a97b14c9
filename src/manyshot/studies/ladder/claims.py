"""What the project set out to show with the ladder, each goal beside what was measured. Plain values of ladder.json."""

from collections.abc import Mapping
from typing import Any

# the goals, in the order of the table
OF_DEDICATED = 0.95
ABOVE_FEW_SHOT = 0.05
SHARE_OF_TOKENS = 0.20


def judge_claims(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return `{"claim", "goal", "shots", "measured", "ci95", "agree"}` of each goal; `agree` is None where it was not measured.

    Differences are taken at the largest number of shots. A model that only seems better does not count: where a goal is a
    gain, its interval must lie above 0.
    """
    shots = result["shots"]
    ratio = result["to_dedicated"].get("manyicl", {}).get("ratio")
    reach = result["tokens_to_reach"]
    # with nothing learned there is nothing to reach
    to_reach = reach is not None and reach["target"] > reach["base"]
    claims = [
        _claim("manyicl / dedicated_ft above the floor, seen tasks", f">= {OF_DEDICATED:.2f}", shots, ratio)
        | {"agree": None if ratio is None else ratio >= OF_DEDICATED},
        _difference(result, result, "manyicl-few_shot_ft", ABOVE_FEW_SHOT, "held-out tasks"),
        _difference(result, result["near"], "manyicl-few_shot_ft", ABOVE_FEW_SHOT, "near tasks"),
        _difference(result, result, "manyicl-base", 0.0, "held-out tasks"),
        _difference(result, result["near"], "manyicl-base", 0.0, "near tasks"),
        _icl_drop(result, "manyicl"),
        _claim(
            "tokens of manyicl to few_shot_ft's final score, dev tasks, as a share of few_shot_ft's",
            f"<= {SHARE_OF_TOKENS:.2f}",
            result["learning_shots"],
            reach["share"] if reach else None,
        )
        | {"agree": (reach["share"] is not None and reach["share"] <= SHARE_OF_TOKENS) if reach and to_reach else None},
    ]
    if reach and not to_reach:
        claims[-1]["note"] = f"few_shot_ft ends at {reach['target']:.3f}, not above the base's {reach['base']:.3f}"
    elif reach and reach["share"] is None:
        claims[-1]["note"] = "not reached at any point that was judged"
    return claims


def _icl_drop(result: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return whether a method left as much in-context learning as it found, where demonstrations help the base."""
    kept = result["retention"].get(method, {})
    drop = kept.get("icl_drop")
    n_tasks = len(kept.get("icl_tasks", ()))
    words = f"ICL drop of {method}, {n_tasks} tasks not tuned on where shots help the base"
    claim = _claim(words, "<= 0.00", result["shots"], drop, kept.get("icl_drop_ci95"))
    return claim | {"agree": None if drop is None else drop <= 0}


def _difference(
    result: Mapping[str, Any], paired: Mapping[str, Any], pair: str, least: float, tasks: str
) -> dict[str, Any]:
    shots = str(result["shots"])
    mean = paired["paired_mean"].get(pair, {}).get(shots)
    bounds = paired["paired"].get(pair, {}).get(shots)
    claim = _claim(f"{pair.replace('-', ' - ')}, {tasks}", f">= {least:+.2f}", result["shots"], mean, bounds)
    if least > 0:
        claim["goal"] += ", interval above 0"
    met = mean is not None and mean >= least and (least == 0 or bounds[0] > 0)
    return claim | {"agree": None if mean is None else met}


def _claim(
    claim: str, goal: str, shots: int | None, measured: float | None, ci95: list[float] | None = None
) -> dict[str, Any]:
    return {"claim": claim, "goal": goal, "shots": shots, "measured": measured, "ci95": ci95}
