"""report.html: one self-contained page of a run folder, made from its records alone. No scripts, no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.errors import RunError
from manyshot.files import read_json, read_lines, write_text
from manyshot.records import read_predictions
from manyshot.reporting.examples import example_table
from manyshot.reporting.figures import shot_curves, training_loss
from manyshot.reporting.guard import GUARD, guard_curve
from manyshot.reporting.ladder import ladder_tables
from manyshot.reporting.stress import stress_table
from manyshot.reporting.study_figures import family_curves, heat_map, learning_figure
from manyshot.reporting.tables import (
    Table,
    cost_table,
    count_tasks,
    curve_tables,
    family_table,
    task_table,
)

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1e21; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.sub, figcaption { color: #5c6370; font-size: .9rem; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; min-width: 50%; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e6ea; text-align: left; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } td { white-space: nowrap; }
td.long { white-space: normal; min-width: 12rem; }
pre { background: #f6f7f9; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; font-size: .84rem; line-height: 1.45; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; } h3 .sub { font-weight: 400; }
code { background: #f3f4f6; padding: .1rem .3rem; border-radius: 4px; font-size: .85em; }
</style></head><body>
<h1>{{ title }}</h1>
<p class="sub">{{ subtitle }}</p>
{% for figure in figures %}<figure>{{ figure.svg | safe }}<figcaption>{{ figure.caption }}</figcaption></figure>
{% endfor %}{% for table in tables %}<h2>{{ table.title }}</h2>
<div class="scroll"><table><thead><tr>{% for cell in table.head %}<th>{{ cell }}</th>{% endfor %}</tr></thead><tbody>
{% for row in table.rows %}<tr>
{% for cell in row %}<td{% if cell | length > 40 %} class="long"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endfor %}{% if worked %}<h2>worked examples</h2>
<p class="sub">The first query of three tasks that nothing was tuned on, as every method was asked it.</p>
{% for example in worked %}
<h3>{{ example.task }} <span class="sub">{{ example.family }}, {{ example.shots }} demonstrations</span></h3>
<pre>{{ example.prompt }}</pre>
<div class="scroll"><table><thead><tr><th>asked for</th>
{% for name in example.answers %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody><tr><td>{{ example.target }}</td>
{% for answer in example.answers.values() %}<td>{{ answer }}</td>{% endfor %}</tr></tbody></table></div>
{% endfor %}{% endif %}<h2>how to read this</h2>
<p>{{ how_to_read }}</p>
<h2>made with</h2>
<p class="sub">{{ made_with }}</p>
</body></html>
"""
_HOW_TO_READ = """A score is the task's own metric, 0 to 1. A curve is the mean over families of the mean over tasks, always
of the same tasks. Brackets and bands are 95 % bootstrap intervals over queries with tasks and demonstrations fixed; dashed
lines and “worst draw” show the choice of demonstrations that did worst. The floor is what always giving the most frequent label
would score."""


def render_page(
    *,
    title: str,
    subtitle: str,
    figures: Sequence[Mapping[str, str]],
    tables: Sequence[Table],
    made_with: str,
    how_to_read: str = _HOW_TO_READ,
    worked: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return one self-contained page: figures ({svg, caption}), tables, worked examples, and how to read them."""
    from jinja2 import Environment

    return (
        Environment(autoescape=True)
        .from_string(_TEMPLATE)
        .render(
            title=title,
            subtitle=subtitle,
            figures=figures,
            tables=tables,
            made_with=made_with,
            how_to_read=how_to_read,
            worked=worked,
        )
    )


def write_report(folder: str | Path) -> Path:
    """Write report.html and figures/ of a run folder and return the page's path.

    Raises RunError where the folder holds no summary.
    """
    folder = Path(folder)
    if not (folder / records.SUMMARY).is_file():
        raise RunError(f"{folder}: no {records.SUMMARY} here; give the folder of a finished run")
    summary = read_json(folder / records.SUMMARY)
    manifest = read_json(folder / records.MANIFEST) if (folder / records.MANIFEST).is_file() else {}
    figures = _figures(folder, summary)
    for figure in figures:
        write_text(folder / records.FIGURES / f"{figure['name']}.svg", figure["svg"] + "\n")
    tables: list[Table | None] = [*(ladder_tables(summary) if "by_family" in summary else _run_tables(summary))]
    tables.append(example_table(read_predictions(folder)))
    html = render_page(
        title=f"{folder.resolve().name}: in-context learning by number of shots",
        subtitle=_subtitle(summary, manifest),
        figures=figures,
        worked=read_json(folder / records.EXAMPLES) if (folder / records.EXAMPLES).is_file() else [],
        tables=[table for table in tables if table is not None],
        made_with=", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items()),
    )
    write_text(folder / records.REPORT, html)
    return folder / records.REPORT


def _run_tables(summary: dict[str, Any]) -> list[Table | None]:
    return [
        *curve_tables(summary),
        family_table(summary),
        task_table(summary),
        stress_table(summary),
        cost_table(summary),
    ]


def _study_figures(summary: dict[str, Any]) -> list[dict[str, str]]:
    """Return the figures of a ladder."""
    drawn = [
        (
            f"families_{role}",
            family_curves(summary, role),
            f"{role.replace('_', ' ')} by family. Bands: 95 % over queries.",
        )
        for role in summary["by_family"]
    ]
    caption = f"Scores above the floor by task, at {summary['shots']} shots (dedicated models: none)."
    drawn.append(("heat_map", heat_map(summary), caption))
    caption = "The first seed's models on dev, at checkpoints of the same trainings; the base at no tokens."
    drawn.append(("learning", learning_figure(summary), caption))
    return [{"name": name, "svg": svg, "caption": caption} for name, svg, caption in drawn if svg]


def _figures(folder: Path, summary: dict[str, Any]) -> list[dict[str, str]]:
    figures = []
    for group, n_tasks in summary["n_tasks"].items():
        if any(len(method.get(group, {})) > 1 for method in summary["methods"].values()):
            caption = (
                f"{group.replace('_', ' ')}: {count_tasks(n_tasks)}. Bands: 95 % over queries. Dashed: the worst draw."
            )
            figures.append({"name": f"shots_{group}", "svg": shot_curves(summary, group), "caption": caption})
    if "by_family" in summary:
        figures += _study_figures(summary)
    if (folder / records.METRICS).is_file():
        rows = [row for _, row in read_lines(folder / records.METRICS, drop_torn_end=True)]
        if svg := training_loss(rows):
            caption = "Training loss of answers by how many examples stand before them in the row."
            figures.append({"name": "training_loss", "svg": svg, "caption": caption})
    if (folder / GUARD).is_file():
        rows = [row for _, row in read_lines(folder / GUARD, drop_torn_end=True)]
        if svg := guard_curve(rows):
            caption = "The guard's probe during training, as a share of its start; crosses are past its limit."
            figures.append({"name": "guard", "svg": svg, "caption": caption})
    return figures


def _subtitle(summary: dict[str, Any], manifest: dict[str, Any]) -> str:
    parts = [
        f"methods: {', '.join(summary['methods'])}",
        f"tasks: {sum(summary['n_tasks'].values())}",
        f"seed: {', '.join(map(str, summary['seeds']))}",
    ]
    if "held_out_reads" in manifest:
        n = manifest["held_out_reads"]
        parts.append("held-out tasks were read once" if n == 1 else f"held-out tasks were read {n} times")
    if "recipe_hash" in manifest:
        parts.append(f"recipe {manifest['recipe_hash']}")
    return " · ".join(parts)
