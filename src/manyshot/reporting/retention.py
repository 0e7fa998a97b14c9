"""Tables of what tunings left of in-context learning, one row a model; from retention.json."""

from collections.abc import Mapping
from typing import Any

from manyshot.reporting.tables import Table


def retention_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the table of curves, and that of what is lost, of a report: {"base": NAME, "models": {NAME: ...}}."""
    models = report["models"]
    first = next(iter(models.values()))
    shots, gained = list(first["held_out"]), list(first["gain_from_shots"])
    base = (report["base"], *_curve(first, "_before", shots, gained))
    rows = [base, *((name, *_curve(model, "", shots, gained)) for name, model in models.items())]
    head = ("model", *(f"{k} shots" for k in shots), *(f"gain {k}" for k in gained))
    curves = Table(f"foreign tasks ({len(first['tasks'])})", head, tuple(rows))
    most = str(first["shots"])
    losses = Table(
        f"what is lost at {most} shots",
        (
            "model",
            "normalised average",
            "relative drop",
            f"ICL drop ({len(first['icl_tasks'])} tasks)",
            "gain drop",
            "general text, bits per byte",
            "answers of the tuned task",
            "target at 0 shots",
            f"target at {most}",
        ),
        (
            (report["base"], *_facts(first, "_before", most)),
            *((name, *_facts(model, "", most)) for name, model in models.items()),
        ),
    )
    return [curves, losses]


def _curve(model: Mapping[str, Any], suffix: str, shots: list[str], gained: list[str]) -> list[str]:
    """Return a model's scores and gains; it may have been judged at fewer numbers of shots than the first."""
    curve, gains = model[f"held_out{suffix}"], model[f"gain_from_shots{suffix}"]
    return [
        *(f"{curve[k]:.3f}" if k in curve else "" for k in shots),
        *(f"{gains[k]:+.3f}" if k in gains else "" for k in gained),
    ]


def _facts(model: Mapping[str, Any], suffix: str, most: str) -> list[str]:
    lost = ["", "", ""]
    if not suffix:
        lost = [
            _share(model["relative_drop"][most], model["relative_drop_ci95"][most]),
            _share(model["icl_drop"], model["icl_drop_ci95"]),
            _share(model["gain_drop"], model["gain_drop_ci95"]),
        ]
    target = model[f"target_score{suffix}"]
    return [
        f"{model[f'normalised_average{suffix}'][most]:.1f}",
        *lost,
        _number(model[f"general_bits_per_byte{suffix}"]),
        _share(model[f"format_ratio{suffix}"]),
        _number(target.get("0")),
        _number(target.get(most)),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None, bounds: list[float] | None = None) -> str:
    if value is None:
        return "none"
    return f"{value:.1%}" + (f" [{bounds[0]:.1%}, {bounds[1]:.1%}]" if bounds else "")
