"""Figures of a comparison of methods as SVG text: scores by task, curves by family, learning curves. Reads ladder.json."""

from collections.abc import Mapping
from itertools import groupby
from math import ceil
from typing import Any

from manyshot.reporting.figures import COLOURS, new_axes, svg_of

# more cells than this stay without a number: it could not be read
_MOST_NUMBERS = 600
_PANELS_ACROSS = 3


def heat_map(result: Mapping[str, Any]) -> str | None:
    """Draw what each method scores above the floor on each task, at its largest number of shots; None without tasks.

    Tasks stand by role and family, so that what a family gains is one block of colour.
    """
    from matplotlib.figure import Figure

    methods = result["methods"]
    tasks = [t for t in _ordered(result) if any(t in method["tasks"] for method in methods.values())]
    if not tasks:
        return None
    rows = [[_above_floor(method, task) for method in methods.values()] for task in tasks]
    sizes = sorted(abs(value) for row in rows for value in row if value is not None)
    # one task that is far above its floor would pale all others; the numbers say what the colour does not
    most = max(0.1, sizes[int(0.95 * (len(sizes) - 1))])
    figure = Figure(figsize=(4.2 + 1.05 * len(methods), 1.3 + 0.235 * len(tasks)), layout="constrained")
    axes = figure.subplots()
    filled = [[float("nan") if value is None else value for value in row] for row in rows]
    image = axes.imshow(filled, cmap=_blue_and_orange(), vmin=-most, vmax=most, aspect="auto")
    axes.set_xticks(range(len(methods)), list(methods), fontsize=9)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(tasks)), tasks, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    several_roles = len({result["tasks"][task]["role"] for task in tasks}) > 1
    for (role, family), block in groupby(range(len(tasks)), key=lambda place: _kind(result, tasks[place])):
        places = list(block)
        axes.axhline(places[0] - 0.5, color="white", linewidth=3)
        label = f"{family} ({role.replace('_', ' ')})" if several_roles else family
        axes.text(len(methods) - 0.4, sum(places) / len(places), label, va="center", fontsize=8, color="#5c6370")
    for line, row in enumerate(rows if len(tasks) * len(methods) <= _MOST_NUMBERS else []):
        for column, value in enumerate(row):
            if value is not None:
                colour = "white" if abs(value) > 0.62 * most else "#1c1e21"
                axes.text(column, line, f"{value:+.2f}", ha="center", va="center", fontsize=7.5, color=colour)
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 5 / len(tasks) + 0.2), pad=0.02, extend="both")
    bar.set_label("score above the floor", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return svg_of(figure)


def family_curves(result: Mapping[str, Any], role: str) -> str | None:
    """Draw each method's score over the number of shots, a panel a family, with 95 % intervals; None without families."""
    from matplotlib.figure import Figure

    families = {f: methods for f, methods in result["by_family"].get(role, {}).items() if methods}
    if not families:
        return None
    shots = sorted({int(k) for methods in families.values() for points in methods.values() for k in points})
    across = min(_PANELS_ACROSS, len(families))
    down = ceil(len(families) / across)
    figure = Figure(figsize=(max(4.2, 3.1 * across), 0.5 + 2.3 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    names = list(result["methods"])
    handles: dict[str, Any] = {}
    for axes, (family, methods) in zip(panels, families.items(), strict=False):
        _style(axes)
        axes.set_title(family, fontsize=10, loc="left")
        top = 0.0
        for name, points in methods.items():
            colour = COLOURS[names.index(name) % len(COLOURS)]
            at = [shots.index(int(k)) for k in points]
            score = [point["mean"] for point in points.values()]
            low, high = zip(*(point["ci95"] for point in points.values()), strict=True)
            # a method that was only asked without demonstrations is a level to compare with
            if len(points) == 1:
                handles[name] = axes.axhline(score[0], color=colour, linestyle="--", linewidth=1.2)
            else:
                (handles[name],) = axes.plot(at, score, marker="o", markersize=3.5, color=colour)
                axes.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
            top = max(top, *high)
        axes.set_xticks(range(len(shots)), [str(k) for k in shots])
        axes.set_ylim(0, min(1.02, max(0.1, 1.15 * top)))
    for axes in panels[len(families) :]:
        axes.set_visible(False)
    figure.supxlabel("demonstrations in the prompt (shots)", fontsize=10)
    figure.supylabel("score", fontsize=10)
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9)
    return svg_of(figure)


def learning_figure(result: Mapping[str, Any]) -> str | None:
    """Draw each method's score on dev over the tokens it was trained on, from the base at none; None without curves."""
    from matplotlib.ticker import EngFormatter

    curves = result.get("learning_curves") or {}
    if not curves:
        return None
    figure, axes = new_axes("tokens trained", f"score on dev at {result['learning_shots']} shots")
    names = list(result["methods"])
    lowest, highest = 1.0, 0.0
    for name, points in curves.items():
        tokens, scores = zip(*[[0, result["learning_base"]], *points], strict=True)
        axes.plot(tokens, scores, marker="o", color=COLOURS[names.index(name) % len(COLOURS)], label=name)
        lowest, highest = min(lowest, *scores), max(highest, *scores)
    if (reach := result.get("tokens_to_reach")) and "few_shot_ft" in curves:
        axes.axhline(reach["target"], color="#777777", linestyle=":", linewidth=1, label="few_shot_ft at its end")
    room = max(0.02, 0.15 * (highest - lowest))
    axes.set_ylim(max(0.0, lowest - room), min(1.02, highest + room))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.legend(frameon=False, fontsize=9)
    return svg_of(figure)


def _ordered(result: Mapping[str, Any]) -> list[str]:
    roles = ("held_out", "near", "seen")
    return sorted(result["tasks"], key=lambda t: (roles.index(result["tasks"][t]["role"]), *_kind(result, t), t))


def _kind(result: Mapping[str, Any], task: str) -> tuple[str, str]:
    return result["tasks"][task]["role"], result["tasks"][task]["family"]


def _above_floor(method: Mapping[str, Any], task: str) -> float | None:
    point = method["tasks"].get(task)
    return None if point is None else point["score"] - point["floor"]


def _blue_and_orange() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blue and orange", [COLOURS[1], "#f6f7f9", COLOURS[0]])


def _style(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)
