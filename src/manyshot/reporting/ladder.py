"""Tables of a ladder, from ladder.json: claims, families, cost of an answer, learning curves; and all of them as Markdown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manyshot.reporting.retention import retention_tables
from manyshot.reporting.tables import Table, cost_table, count_tasks, curve_tables, paired_table, task_table

_WORDS = {True: "yes", False: "no", None: "not measured"}


def claims_table(result: Mapping[str, Any]) -> Table:
    """Return each goal beside what was measured."""
    rows = []
    for claim in result["claims"]:
        measured = "" if claim["measured"] is None else f"{claim['measured']:.3f}"
        if claim["ci95"]:
            measured += f" [{claim['ci95'][0]:.3f}, {claim['ci95'][1]:.3f}]"
        note = f" ({claim['note']})" if "note" in claim else ""
        shots = "" if claim["shots"] is None else str(claim["shots"])
        rows.append((claim["claim"], claim["goal"], shots, measured, f"{_WORDS[claim['agree']]}{note}"))
    return Table("goals", ("claim", "goal", "shots", "measured", "agrees"), tuple(rows))


def family_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return scores by family and shots for each method, a table a role."""
    tables = []
    for role, families in result["by_family"].items():
        shots = sorted({int(k) for methods in families.values() for points in methods.values() for k in points})
        rows = [
            (family, name, *(_scored(points.get(str(k))) for k in shots))
            for family, methods in families.items()
            for name, points in methods.items()
        ]
        title = f"{role.replace('_', ' ')} by family ({count_tasks(result['n_tasks'].get(role, 0))})"
        tables.append(Table(title, ("family", "method", *(f"{k} shots" for k in shots)), tuple(rows)))
    return tables


def near_table(result: Mapping[str, Any]) -> Table | None:
    """Return the paired differences over near tasks; None where there are none."""
    differences = paired_table(result["near"])
    return replace(differences, title="differences on near tasks, paired") if differences else None


def rates_table(result: Mapping[str, Any]) -> Table | None:
    """Return each method's mean score on dev by learning rate; None where the preset says the rates."""
    found = result["learning_rate_scores"]
    rates = list(dict.fromkeys(rate for scores in found.values() for rate in scores))
    rows = [(name, *(f"{scores[r]:.4f}" if r in scores else "" for r in rates)) for name, scores in found.items()]
    return Table("dev scores by learning rate", ("method", *rates), tuple(rows)) if rows else None


def answer_cost_table(result: Mapping[str, Any]) -> Table:
    """Return what an answer costs in prompt tokens: without demonstrations, with all, and with all read once a task."""
    methods = result["methods"]
    shots = list(dict.fromkeys(k for method in methods.values() for k in method["prompt_tokens"]))
    cells = [(k, field) for k in shots for field in ("prompt_tokens", "primed_prompt_tokens")]
    rows = [(name, *(_tokens(method[field].get(k)) for k, field in cells)) for name, method in methods.items()]
    head = (f"{k} shots" + (", read once a task" if field.startswith("primed") else "") for k, field in cells)
    return Table("prompt tokens an answer", ("method", *head), tuple(rows))


def queries_table(result: Mapping[str, Any]) -> Table | None:
    """Return about how many queries would separate two methods, beside how many there are."""
    pairs = result["paired_queries_needed"]
    shots = list(dict.fromkeys(k for by_shots in pairs.values() for k in by_shots))
    if not shots:
        return None
    rows = []
    for pair, by_shots in pairs.items():
        present = str(next(iter(by_shots.values()))["present"])
        # equal methods are separated by no number of queries
        needed = [_tokens(by_shots[k]["needed"]) or "none" if k in by_shots else "" for k in shots]
        rows.append((pair.replace("-", " − "), present, *needed))
    head = ("methods", "queries there are", *(f"needed at {k} shots" for k in shots))
    return Table("queries that would separate two methods", head, tuple(rows))


def dedicated_table(result: Mapping[str, Any]) -> Table | None:
    """Return how much of the dedicated models' score above the floor each method reaches on seen tasks."""
    found = result["to_dedicated"]
    if not found:
        return None
    rows = [
        (name, str(at["shots"]), _ratio(at["ratio"]), str(len(at["above_floor"])), ", ".join(at["above_floor"]))
        for name, at in found.items()
    ]
    head = ("method", "shots", "share of dedicated_ft", "tasks", "which")
    return Table("seen tasks where dedicated models are .10 or more above the floor", head, tuple(rows))


def learning_table(result: Mapping[str, Any]) -> Table | None:
    """Return scores on dev after so many tokens, a row a point."""
    curves = result["learning_curves"]
    if not curves:
        return None
    rows = [("base", "0", f"{result['learning_base']:.3f}")]
    rows += [(name, f"{tokens:,}", f"{score:.3f}") for name, points in curves.items() for tokens, score in points]
    return Table(
        f"learning curves on dev at {result['learning_shots']} shots", ("method", "tokens", "score"), tuple(rows)
    )


def no_math_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return curves and differences on held-out tasks without the family math; none where that leaves nothing out."""
    rest = result["without_math"]
    n_tasks = rest["n_tasks"]["held_out"]
    if not rest["methods"] or n_tasks == result["n_tasks"].get("held_out"):
        return []
    curves, differences = curve_tables(rest)[0], paired_table(rest)
    tables = [replace(curves, title=f"held out without math ({count_tasks(n_tasks)})")]
    return tables + ([replace(differences, title=f"{differences.title}, without math")] if differences else [])


def ladder_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return every table of a ladder in the order of its page."""
    lost = retention_tables({"base": result["base"], "models": result["retention"]}) if result["retention"] else []
    tables = [
        claims_table(result),
        *curve_tables(result),
        paired_table(result),
        near_table(result),
        queries_table(result),
        *family_tables(result),
        *no_math_tables(result),
        dedicated_table(result),
        *lost[1:],
        rates_table(result),
        learning_table(result),
        cost_table(result),
        answer_cost_table(result),
        task_table(result),
    ]
    return [table for table in tables if table is not None]


def ladder_markdown(result: Mapping[str, Any]) -> str:
    """Return a ladder's tables as Markdown, to put words around."""
    methods = "\n".join(f"- `{name}`: {meaning}" for name, meaning in result["meanings"].items())
    rates = ", ".join(f"{name} {rate:g}" for name, rate in result["learning_rates"].items())
    seeds = ", ".join(map(str, result["seeds"]))
    head = f"{methods}\n\nSeeds: {seeds}. Learning rates, chosen on dev: {rates}.\n"
    return "\n".join([head, *(f"## {table.title}\n\n{table.markdown()}" for table in ladder_tables(result))])


def _scored(point: Mapping[str, Any] | None) -> str:
    return "" if point is None else f"{point['mean']:.3f} [{point['ci95'][0]:.3f}, {point['ci95'][1]:.3f}]"


def _tokens(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _ratio(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
