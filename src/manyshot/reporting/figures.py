"""Figures of a run as SVG text. Reads summaries and log rows; matplotlib is loaded only when one is drawn."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

# readable with the common colour-vision deficiencies (Okabe and Ito), and in this order for every figure
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8a8a00")


def shot_curves(summary: Mapping[str, Any], group: str) -> str:
    """Draw each method's score over the number of shots, with 95 % intervals over queries and the worst draw dashed."""
    figure, axes = new_axes("demonstrations in the prompt (shots)", "score (mean over families)")
    top = 0.0
    for i, (name, method) in enumerate(summary["methods"].items()):
        if group not in method:
            continue
        colour = COLOURS[i % len(COLOURS)]
        shots = [int(k) for k in method[group]]
        score = [method[group][str(k)] for k in shots]
        low, high = zip(*[method["ci95"][group][str(k)] for k in shots], strict=True)
        places = _places(shots)
        axes.plot(places, score, marker="o", color=colour, label=name)
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
        worst = [method["worst_draw"][group][str(k)] for k in shots]
        axes.plot(places, worst, color=colour, linestyle="--", linewidth=0.9, alpha=0.8)
        axes.set_xticks(places, [str(k) for k in shots])
        top = max(top, *high)
    floor = _mean_floor(summary, group)
    if floor:
        axes.axhline(floor, color="#777777", linestyle=":", linewidth=1, label="floor (most frequent label)")
    axes.set_ylim(0, min(1.02, max(0.1, 1.3 * max(top, floor))))
    axes.legend(frameon=False, fontsize=9)
    return svg_of(figure)


def training_loss(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Draw the loss of answers with few and with many examples before them over training; None without a log."""
    logged = [row for row in rows if "step" in row]
    names = list(dict.fromkeys(key for row in logged for key in row if key.startswith("loss_shots_")))
    if not logged or not names:
        return None
    figure, axes = new_axes("tokens trained", "loss (nats per target token)")
    chosen = names if len(names) <= 5 else [names[round(i * (len(names) - 1) / 4)] for i in range(5)]
    before, tokens, last = 0, [], 0
    for row in logged:  # stages follow each other on one axis
        if row["tokens"] < last:
            before += last
        last = row["tokens"]
        tokens.append(before + last)
    for i, name in enumerate(chosen):
        points = [(t, row[name]) for t, row in zip(tokens, logged, strict=True) if name in row]
        label = f"{name.removeprefix('loss_shots_')} shots"
        axes.plot(*zip(*points, strict=True), color=_shade(i, len(chosen)), label=label, linewidth=1.4)
    from matplotlib.ticker import EngFormatter

    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.legend(frameon=False, fontsize=9)
    return svg_of(figure)


def new_axes(x_label: str, y_label: str) -> tuple[Any, Any]:
    """Return a figure and its axes in the style of all figures."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def svg_of(figure: Any) -> str:
    """Return a figure as SVG that stands by itself."""
    import matplotlib as mpl

    buffer = io.StringIO()
    # a fixed salt and no date: the same numbers give the same bytes
    with mpl.rc_context({"svg.hashsalt": "manyshot", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _places(shots: Sequence[int]) -> list[int]:
    """Return evenly spaced places: shot counts grow by factors, and zero has no logarithm."""
    return list(range(len(shots)))


def _shade(i: int, n: int) -> tuple[float, float, float]:
    share = i / max(1, n - 1)
    return (0.75 * (1 - share), 0.78 * (1 - share) + 0.2 * share, 0.80 * (1 - share) + 0.55 * share)


def _mean_floor(summary: Mapping[str, Any], group: str) -> float:
    """Return the mean floor over families, as the curves are averaged; 0 where tasks are not recorded."""
    floors = summary.get("floors", {})
    return float(floors.get(group, 0.0))
