"""Cut theory.json down to the tables that the documentation quotes: a few shots, rounded, one row a method."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]
SHOTS = ("0", "1", "5", "10", "20")
DIGITS = 4


def summarise(result: Result) -> Result:
    """Return the summary that is written as summary.json; errors of SGD are means over seeds."""
    return _rounded(
        {
            "meta": result["meta"],
            "closed_form": {name: {n: curve[n] for n in SHOTS} for name, curve in result["closed_form"].items()},
            "monte_carlo": {name: {n: curve[n] for n in SHOTS} for name, curve in result["monte_carlo"].items()},
            "monte_carlo_checks": result["checks"]["monte_carlo"],
            "general_sigma": [
                {"d": row["d"], "largest_distance_in_se": _furthest(row["monte_carlo"])} for row in result["general"]
            ],
            "sgd": {
                name: {kind: _method(row) for kind, row in kinds.items()}
                for name, kinds in result["sgd"]["methods"].items()
            },
            "trade_off": {
                key: result["trade_off"][key] for key in ("n", "chosen", "regret_at_many_tasks", "regret_limit")
            },
            "crossing": crossing_ends(result["crossing"]),
            "many_tasks": result["many_tasks"],
        }
    )


def crossing_ends(crossing: Result) -> Result:
    """Return the fewest shots that beat zero-shot on -theta_0, on an orthogonal task and on theta_0."""
    places = {"foreign": 0, "orthogonal": len(crossing["cosine"]) // 2, "target": -1}
    return {name: {place: curve[i] for place, i in places.items()} for name, curve in crossing["fewest_shots"].items()}


def _method(row: Result) -> Result:
    errors = {f"{task}_{n}": row[task][n]["mean"] for task in ("target", "foreign", "many") for n in ("0", "20")}
    spread = {f"{task}_20_sd": row[task]["20"]["sd"] for task in ("target", "foreign")}
    named = {key: row["learned"][key] for key in ("a", "k", "alpha", "k_beta", "e_beta")}
    return errors | spread | {"learned": named, "ideal": row["ideal"], "form": row["form"], "gap": row.get("gap")}


def _furthest(checks: Result) -> float:
    return max(check["largest_distance_in_se"] for check in checks.values())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_rounded(x) for x in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
