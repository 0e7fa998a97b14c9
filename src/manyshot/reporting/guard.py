"""Figure of a guard: what was left of in-context learning at each probe of a training. Reads the lines of guard.jsonl."""

from collections.abc import Mapping, Sequence
from typing import Any

from manyshot.reporting.figures import COLOURS, new_axes, svg_of

# the guard's own file, which training/guard.py writes
GUARD = "guard.jsonl"


def guard_curve(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Draw the probe's value over steps as a share of the start's, a line a stage; None without probes.

    Probes past the limit are crosses.
    """
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    if not stages:
        return None
    figure, axes = new_axes("optimiser steps of the stage", "in-context learning kept (probe / its start)")
    for i, stage in enumerate(stages):
        mine, colour = [row for row in rows if row["stage"] == stage], COLOURS[i % len(COLOURS)]
        axes.plot([r["step"] for r in mine], [1 - r["drop"] for r in mine], color=colour, label=stage)
        for within, marker in ((True, "o"), (False, "x")):
            some = [r for r in mine if r["within"] is within]
            axes.plot([r["step"] for r in some], [1 - r["drop"] for r in some], marker, color=colour)
    axes.axhline(1, color="#777777", linestyle=":", linewidth=1)
    axes.set_ylim(bottom=min(0.0, *(1 - r["drop"] for r in rows)))
    axes.legend(frameon=False, fontsize=9)
    return svg_of(figure)
