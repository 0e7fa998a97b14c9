"""Draw the curves of theory.json as SVG text, one function a figure; reads the dictionary and computes nothing new.

Solid: the target task theta_0. Dashed: the foreign task -theta_0. Lines: closed forms. Dots: Monte Carlo or SGD.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#2563a8", "#d9822b", "#3a8f5c", "#c0392b", "#7b5ea7", "#777777"
SHOT_TICKS = range(0, 21, 5)
Result = dict[str, Any]


def draw_all(result: Result) -> dict[str, str]:
    """Return every figure, by file name, as SVG text."""
    return {
        "errors.svg": draw_errors(result),
        "pretrained.svg": draw_curves(result, ("P",), BLUE),
        "all_parameters.svg": draw_curves(result, ("F+", "F-"), RED),
        "value_only.svg": draw_curves(result, ("V+", "V-"), GREEN),
        "trade_off.svg": draw_trade_off(result),
        "crossing.svg": draw_crossing(result),
        "descent.svg": draw_descent(result),
        "many_tasks.svg": draw_many_tasks(result),
    }


def draw_errors(result: Result) -> str:
    """Draw error against n for the target and for the foreign task, side by side on one scale."""
    figure, axes = _new(10, 3.6, columns=2)
    for axis, sign, title in zip(axes, "+-", ("target task $\\theta_0$", "foreign task $-\\theta_0$"), strict=True):
        for name, colour, text in (
            ("P", BLUE, "P  pre-trained"),
            (f"F{sign}", RED, "F  all parameters, zero-shot"),
            (f"V{sign}", GREEN, "V  value only, w = a"),
        ):
            _line_and_dots(axis, result, name, colour, "-", text)
        axis.axhline(result["meta"]["setting"]["noise"], color=GREY, lw=0.8, ls=":")
        axis.set(title=title, xlabel="shots n", xticks=SHOT_TICKS)
        _error_scale(axis, 0.08, 6)
    axes[0].set_ylabel("test error")
    axes[0].legend(frameon=False, fontsize=8)
    return _svg(figure)


def draw_curves(result: Result, names: tuple[str, ...], colour: str) -> str:
    """Draw one closed form with its Monte Carlo points."""
    figure, (axis,) = _new(5, 3.1)
    for name in names:
        text = {"+": "target $\\theta_0$", "-": "foreign $-\\theta_0$"}.get(name[-1], "every task")
        _line_and_dots(axis, result, name, colour, "--" if name.endswith("-") else "-", text)
    axis.axhline(result["meta"]["setting"]["noise"], color=GREY, lw=0.8, ls=":")
    axis.set(xlabel="shots n", ylabel="test error", ylim=(0, None), xticks=SHOT_TICKS)
    axis.legend(frameon=False, fontsize=8, title="line: closed form, dots: Monte Carlo", title_fontsize=8)
    return _svg(figure)


def draw_trade_off(result: Result) -> str:
    """Draw the 20-shot error on target and foreign task as w moves, and what each loss picks."""
    trade = result["trade_off"]
    figure, (axis,) = _new(5, 3.6)
    axis.plot(trade["target"], trade["foreign"], color=GREEN, lw=1.5)
    for (name, point), colour, offset in zip(
        trade["chosen"].items(), (ORANGE, PURPLE, BLUE), ((8, 2), (-20, 9), (8, 2)), strict=True
    ):
        text = name.replace("theta_0", "$\\theta_0$")
        axis.plot(point["target"], point["foreign"], "o", color=colour, ms=6)
        axis.annotate(
            f"{text}\nw = {point['w']:.3f}",
            (point["target"], point["foreign"]),
            xytext=offset,
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )
    axis.set(xlabel=f"{trade['n']}-shot error, target", ylabel=f"{trade['n']}-shot error, foreign")
    axis.set_xlim(0.31, 0.47)
    axis.set_ylim(0.355, 0.58)
    return _svg(figure)


def draw_crossing(result: Result) -> str:
    """Draw from how many shots on the prompt beats no prompt, by the test task's cosine with theta_0."""
    crossing = result["crossing"]
    figure, (axis,) = _new(5, 3.4)
    for name, colour, text in (
        ("P", BLUE, "P  pre-trained"),
        ("F", RED, "F  all parameters"),
        ("V", GREEN, "V  value only"),
    ):
        pairs = [
            (c, n) for c, n in zip(crossing["cosine"], crossing["fewest_shots"][name], strict=True) if n is not None
        ]
        axis.plot([c for c, _ in pairs], [n for _, n in pairs], ".-", color=colour, ms=4, lw=1.2, label=text)
    axis.set(xlabel="cosine between test task and $\\theta_0$", ylabel="fewest shots that beat zero-shot", yscale="log")
    axis.set_xlim(-1.05, 1.05)
    axis.minorticks_off()
    axis.set_yticks([1, 2, 5, 10, 20, 50, 100, 200], ["1", "2", "5", "10", "20", "50", "100", "200"])
    axis.legend(frameon=False, fontsize=8)
    return _svg(figure)


def draw_descent(result: Result) -> str:
    """Draw the errors SGD reaches, averaged weights, against the closed forms at the learned numbers."""
    methods = result["sgd"]["methods"]
    shown = (
        ("pretrained", BLUE),
        ("all ZS", RED),
        ("all ZS+FS", ORANGE),
        ("V ZS", GREEN),
        ("V ZS+FS", PURPLE),
        ("all ZS+MT/1", GREY),
    )
    figure, axes = _new(10, 3.8, columns=2)
    for axis, task, title in zip(
        axes, ("target", "foreign"), ("target task $\\theta_0$", "foreign task $-\\theta_0$"), strict=True
    ):
        for name, colour in shown:
            row = methods[name]["averaged"]
            n = [int(x) for x in row[task]]
            axis.plot(n, list(row["closed_form"][task].values()), color=colour, lw=1.3)
            axis.plot(n, list(row["simulated"][task].values()), ".", color=colour, ms=5, label=name)
        axis.set(title=title, xlabel="shots n", xticks=SHOT_TICKS)
        _error_scale(axis, 0.08, 6)
    axes[0].set_ylabel("test error")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        frameon=False,
        fontsize=8,
        ncols=6,
        loc="outside lower center",
        title="dots: SGD on drawn prompts, lines: closed form at the learned numbers",
        title_fontsize=8,
    )
    return _svg(figure)


def draw_many_tasks(result: Result) -> str:
    """Draw zero-shot error on the target against m-shot error over all tasks, along lambda, for each prompt length m."""
    frontiers = result["many_tasks"]["frontiers"]
    figure, axes = _new(max(9.0, 3.0 * len(frontiers)), 3.8, columns=len(frontiers))
    for axis, (m, frontier) in zip(axes, frontiers.items(), strict=True):
        for name, colour in (("value", GREEN), ("one head", ORANGE), ("two heads", PURPLE)):
            points = [row[name] for row in frontier["rows"]]
            text = {"value": "value only"}.get(name, name)
            axis.plot(
                [p["zero_shot"] for p in points], [p["many"] for p in points], ".-", color=colour, lw=1.3, label=text
            )
        axis.axhline(frontier["pretrained"], color=GREY, lw=0.8, ls=":", label="pre-trained, few-shot")
        if int(m) == result["meta"]["setting"]["m"]:
            for name, mark in (("all ZS+MT/1", "s"), ("V ZS+MT/1", "^")):
                row = result["sgd"]["methods"][name]["averaged"]
                axis.plot(
                    row["target"]["0"]["mean"], row["many"][m]["mean"], mark, color="black", ms=5, label=f"SGD {name}"
                )
        axis.set(
            title=f"m = {int(m):,} shots",
            xlabel="zero-shot error, target",
            xlim=(0.08, 0.42),
        )
        _error_scale(axis, 0.095, 1.2)
    axes[0].set_ylabel("m-shot error, mean over tasks")
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=6, loc="outside lower center")
    return _svg(figure)


def _line_and_dots(axis: Axes, result: Result, name: str, colour: str, style: str, text: str) -> None:
    closed, drawn = result["closed_form"][name], result["monte_carlo"][name]
    axis.plot([int(n) for n in closed], list(closed.values()), style, color=colour, lw=1.5, label=text)
    axis.plot([int(n) for n in drawn], [x["mean"] for x in drawn.values()], "o", color=colour, ms=3)


def _error_scale(axis: Axes, low: float, high: float) -> None:
    """Set a logarithmic error axis with plain numbers."""
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    ticks = [x for x in (0.1, 0.2, 0.5, 1, 2, 5) if low <= x <= high]
    axis.set_yticks(ticks, [f"{x:g}" for x in ticks])
    axis.minorticks_off()


def _new(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, i + 1) for i in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def _svg(figure: Figure) -> str:
    """Return the figure as SVG that is the same for the same numbers: no date, fixed identifiers."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "manyshot", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
