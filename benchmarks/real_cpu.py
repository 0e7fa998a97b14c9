"""The page of the real-task CPU recipe from run folders: curves with intervals and floors, gains task by task, figures.

python -m benchmarks.real_cpu RUN_FOLDER... --out docs/results/real_cpu.md

Reads what `manyshot train` and `manyshot eval` wrote; trains and judges nothing. What stands in the page above the line MARK is
kept, so that words about the numbers survive; all below it is written anew. Figures stand beside the page.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from manyshot import records
from manyshot.errors import RunError
from manyshot.evaluation import Gain, gains, interval, mean_gain, task_scores
from manyshot.files import read_json, write_text
from manyshot.records import Prediction, Score, read_predictions, read_scores
from manyshot.reporting import Table, cost_table, curve_tables
from manyshot.reporting.figures import shot_curves

MARK = "<!-- all below is written by: python -m benchmarks.real_cpu -->"
HEAD = "# Real tasks from a model made on a CPU\n\n"
LEGEND = """
Intervals are 95 %, bootstrap over queries with tasks and demonstrations fixed; differences are paired over the same queries. The
floor is what always giving the most frequent label would score, 0 for free text. `above` says whether the whole interval of the
last score is above the floor. Intervals of many tasks stand here at once: of the differences that are none, about one in forty
would look like a gain.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page and its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_cpu", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("--out", type=Path, default=Path("docs/results/real_cpu.md"))
    arguments = parser.parse_args(argv)
    names = [folder.name for folder in arguments.folders]
    if len(set(names)) < len(names):
        raise RunError(f"two run folders are called alike ({', '.join(names)}); their names head the sections")
    old = arguments.out.read_text(encoding="utf-8") if arguments.out.is_file() else HEAD
    parts = [old.partition(MARK)[0].rstrip() + "\n", MARK, LEGEND]
    parts += [section(folder, arguments.out) for folder in arguments.folders]
    write_text(arguments.out, "\n".join(parts))
    print(f"{arguments.out}: {len(names)} run folders")


def section(folder: Path, page: Path) -> str:
    """Return one run folder's part of the page, its figures written beside the page."""
    place = folder / records.SUMMARY
    if not place.is_file():
        raise RunError(f"{place}: no such file; the run is not finished, go on with its command")
    summary = read_json(place)
    scores, predictions = read_scores(folder), read_predictions(folder)
    parts = [f"\n## {folder.name}\n"]
    for table, group in zip(curve_tables(summary), summary["n_tasks"], strict=True):
        floor = summary["floors"][group]
        parts += [f"### {table.title}\n", table.markdown(), f"Floor of this curve: {floor:.3f}.\n"]
        if table.rows and len(summary["methods"][table.rows[0][0]][group]) > 1:
            figure = page.with_name(f"{page.stem}_{_slug(folder.name)}_{_slug(group)}.svg")
            write_text(figure, shot_curves(summary, group))
            parts.append(f"![{table.title} by shots]({figure.name})\n")
    for method in summary["methods"]:
        found = gains(scores, predictions, method)
        for span in sorted({(g.fewest, g.most) for g in found}, reverse=True):
            alike = [gain for gain in found if (gain.fewest, gain.most) == span]
            parts.append(f"### {method}: {span[0]} and {span[1]} shots\n")
            parts.append(_in_words(alike, *mean_gain(scores, predictions, method, alike)))
            parts += [family_table(scores, predictions, method, alike).markdown(), gain_table(alike).markdown()]
    cost = cost_table(summary)
    if cost is not None:
        parts += ["### cost\n", cost.markdown()]
    manifest = folder / records.MANIFEST
    if manifest.is_file():
        n = read_json(manifest).get("held_out_reads", 0)
        parts.append(f"Held-out tasks were read {n} times in this folder, once a model.\n")
    return "\n".join(parts)


def family_table(
    scores: Sequence[Score], predictions: Sequence[Prediction], method: str, tasks: Sequence[Gain]
) -> Table:
    """Return the curve of each family over tasks that have room for the same shots, with the mean of their floors."""
    results = task_scores(scores, predictions)
    most = max(gain.most for gain in tasks)
    shots = sorted({s.shots for s in scores if s.method == method and s.shots <= most})
    rows = []
    for family in sorted({gain.family for gain in tasks}):
        mine = [gain for gain in tasks if gain.family == family]
        cells = []
        for k in shots:
            here = {gain.task: results[method, gain.task, k] for gain in mine}
            mean = np.mean([result.score() for result in here.values()])
            ends = interval(np.mean([result.resampled(task) for task, result in here.items()], axis=0))
            cells.append(_scored(float(mean), ends))
        floor = np.mean([gain.floor for gain in mine])
        rows.append((family, str(len(mine)), f"{floor:.3f}", *cells))
    return Table("by family", ("family", "tasks", "floor", *(f"{k} shots" for k in shots)), tuple(rows))


def gain_table(tasks: Sequence[Gain]) -> Table:
    """Return a row a task: its scores at both ends of the curve, the floor, and the paired difference."""
    rows = tuple(
        (
            gain.task,
            gain.metric,
            f"{gain.n_queries} x {gain.n_draws}",
            f"{gain.floor:.3f}",
            f"{gain.before:.3f}",
            _scored(gain.after, gain.after_ci95),
            f"{gain.difference:+.3f} [{gain.ci95[0]:+.3f}, {gain.ci95[1]:+.3f}]",
            "yes" if gain.is_above_floor else "no",
        )
        for gain in sorted(tasks, key=lambda gain: (gain.family, gain.task))
    )
    few, many = tasks[0].fewest, tasks[0].most
    head = ("task", "metric", "queries x draws", "floor", f"{few} shots", f"{many} shots", "difference", "above")
    return Table("by task", head, rows)


def _in_words(tasks: Sequence[Gain], mean: float, ends: Sequence[float]) -> str:
    n_above, n_gain = sum(g.is_above_floor for g in tasks), sum(g.is_real for g in tasks)
    n_loss = sum(g.ci95[1] < 0 for g in tasks)
    return (
        f"Mean over families of the difference: {mean:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]. Of {len(tasks)} tasks "
        f"{n_above} are above their floor at {tasks[0].most} shots, {n_gain} gain from demonstrations and {n_loss} lose "
        "(intervals that leave 0 out).\n"
    )


def _scored(value: float, ends: Sequence[float]) -> str:
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


if __name__ == "__main__":
    main()
