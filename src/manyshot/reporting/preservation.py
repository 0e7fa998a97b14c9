"""The preservation study for people: the plane of what is taught and what is kept, tables, claims. preservation.json in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyshot import records
from manyshot.errors import RunError
from manyshot.files import read_json, write_text
from manyshot.reporting.figures import COLOURS, new_axes, svg_of
from manyshot.reporting.page import render_page
from manyshot.reporting.tables import Table, preservation_table

RESULT, MARKDOWN, PLANE = "preservation.json", "preservation.md", "preservation_plane"
DIVERSE = "diverse"
# a drop beyond this is drawn at the edge: past it a model keeps nothing, and how much less is noise of a ratio
_LOWEST = -0.25
_HOW_TO_READ = """Target gain: the score on the tuned task without demonstrations, after less before; under the number
of shots, with them. ICL drop: the share of what demonstrations are worth on held-out tasks that tuning took away, 1 −
A after / A before, with A the mean of score less floor over the tasks where demonstrations help the base by .05 or
more; below 0 where the tuned model is better. Gain drop: the same with the score gained from demonstrations. Brackets
are 95 % bootstrap intervals, over tasks and trainings for drops and over queries and trainings for gains. Best was
chosen on dev tasks; the numbers here are of held-out tasks."""


def write_preservation(folder: str | Path) -> Path:
    """Write preservation.md, figures/ and report.html of a finished study and return the page's path."""
    folder = Path(folder)
    if not (folder / RESULT).is_file():
        raise RunError(f"{folder}: no {RESULT} here; give the folder of a finished preservation study")
    result = read_json(folder / RESULT)
    manifest = read_json(folder / records.MANIFEST) if (folder / records.MANIFEST).is_file() else {}
    figures = preservation_figures(result)
    for figure in figures:
        write_text(folder / records.FIGURES / f"{figure['name']}.svg", figure["svg"] + "\n")
    tables, facts = preservation_tables(result), _facts(result, manifest)
    title = "What tuning teaches and what it leaves of in-context learning"
    write_text(folder / MARKDOWN, _markdown(title, facts, figures, tables))
    html = render_page(
        title=title,
        subtitle=" · ".join(facts),
        figures=figures,
        tables=tables,
        made_with=", ".join(f"{name} {version}" for name, version in manifest.get("versions", {}).items()),
        how_to_read=_HOW_TO_READ,
    )
    write_text(folder / records.REPORT, html)
    return folder / records.REPORT


def preservation_figures(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the study's figures: {name, svg, caption}."""
    figures = [
        {
            "name": PLANE,
            "svg": plane(result),
            "caption": f"Right: learned more of the target. Up: kept more of what {result['shots']} demonstrations are worth on "
            "other tasks. Bars: 95 % intervals, cut at the lower edge. Dashed: the base, which keeps all and learns nothing. "
            "Ringed: the best on dev.",
        }
    ]
    if result.get("where"):
        figures.append(
            {
                "name": "where",
                "svg": where_figure(result["where"]),
                "caption": "Score above the floor with the base's projections put back into the tuned model, layer by layer.",
            }
        )
    return figures


def plane(result: Mapping[str, Any]) -> str:
    """Draw each method at (target gain, 1 - ICL drop) with its intervals, numbered where it stands and named beside."""
    figure, axes = new_axes(
        "target gain (score without shots, after − before)", "in-context learning kept (1 − ICL drop)"
    )
    figure.set_size_inches(8.6, 5.4)
    points = [(name, m) for name, m in result["methods"].items() if name != "best"]
    points += [(f"{name}, {DIVERSE}", m) for name, m in result["diverse"].items()]
    points = [(name, m) for name, m in points if m["icl_drop"] is not None]
    for i, (name, m) in enumerate(points, start=1):
        colour, marker = _look(name)
        x, y = m["target_gain"], max(_LOWEST, 1 - m["icl_drop"])
        low, high = m["target_gain_ci95"]
        best = name == result["best"]
        axes.plot([low, high], [y, y], color=colour, linewidth=0.9, alpha=0.35)
        if m["icl_drop_ci95"]:
            ends = [max(_LOWEST, 1 - end) for end in m["icl_drop_ci95"]]
            axes.plot([x, x], ends, color=colour, linewidth=0.9, alpha=0.35)
        # an empty line of one point: what the legend shows
        axes.plot([x], [y], marker, color=colour, markersize=13 if best else 11, label=f"{i}  {name}", linestyle="none")
        axes.annotate(str(i), (x, y), ha="center", va="center", color="white", fontsize=7.5, fontweight="bold")
        if best:
            axes.plot([x], [y], "o", color="#000000", fillstyle="none", markersize=18)
    axes.axhline(1, color="#777777", linestyle="--", linewidth=1)
    axes.axvline(0, color="#777777", linestyle=":", linewidth=1)
    if points:
        axes.legend(frameon=False, fontsize=8.5, loc="center left", bbox_to_anchor=(1.01, 0.5), markerscale=0.7)
    else:
        axes.set_title("no task gains enough from shots to lose it", fontsize=9)
    return svg_of(figure)


def where_figure(where: Mapping[str, Any]) -> str:
    """Draw what each layer's projections bring back when they are put back to the base's."""
    figure, axes = new_axes("layer put back to the base's", f"score above the floor at {where['shots']} shots")
    for i, (letters, layers) in enumerate(where["restored"].items()):
        places = [layer for layer in layers if layer != "all"]
        axes.plot(range(len(places)), [layers[p]["a"] for p in places], marker="o", color=COLOURS[i], label=letters)
        axes.plot([len(places)], [layers["all"]["a"]], marker="o", color=COLOURS[i])
        axes.set_xticks(range(len(places) + 1), [*places, "all"])
    axes.axhline(where["base"], color="#000000", linestyle="--", linewidth=1, label="base")
    axes.axhline(where["tuned"], color="#777777", linestyle=":", linewidth=1, label="tuned")
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return svg_of(figure)


def preservation_tables(result: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a study: what was taught and kept, cost, the goal, claims, targets, diversity, where."""
    plain = {**result, "methods": {name: m for name, m in result["methods"].items() if name != "best"}}
    tables = [preservation_table(plain), _other_table(plain), _goal_table(result), claims_of_sources(result)]
    tables.append(
        Table(
            "targets",
            ("target", "base without shots", "room", "most that a method raised it", "enough"),
            tuple(
                (path, f"{r['base']:.3f}", f"{r['room']:.3f}", f"{r['most_gain']:+.3f}", "yes" if r["enough"] else "no")
                for path, r in result["rooms"].items()
            ),
        )
    )
    if result.get("diversity"):
        rows = [
            (name.replace("-one", " of one family"), str(m["n_tasks"]), str(m["n_families"]), *_kept(m))
            for name, m in result["diversity"].items()
        ]
        head = ("tasks", "number", "families", "target gain", "ICL drop", "gain drop")
        tables.append(Table("full, on more and more tasks at the same tokens", head, tuple(rows)))
    if result.get("where"):
        tables += _where_tables(result["where"])
    return tables


def claims_of_sources(result: Mapping[str, Any]) -> Table:
    """Return each claim of the sources beside what was measured."""
    rows = [(c["claim"], c["source"], c["measured"], c["agree"]) for c in result["claims"]]
    return Table("claims of the sources, measured", ("claim", "source", "measured here", "agree"), tuple(rows))


def _other_table(result: Mapping[str, Any]) -> Table:
    rows = []
    for name, m in [*result["methods"].items(), *((f"{k}, {DIVERSE}", v) for k, v in result["diverse"].items())]:
        bits, ratio = m["general_bits_per_byte_change"], m["format_ratio"]
        rows.append(
            (
                name,
                f"{m['trained_parameters']:,}",
                f"{m['trained_tokens']:,}",
                f"{m['seconds']:.1f}",
                "" if bits is None else f"{bits:+.4f}",
                "" if ratio is None else f"{ratio:.1%}",
            )
        )
    head = (
        "method",
        "parameters that move",
        "tokens",
        "seconds",
        "bits per byte",
        "answers of the tuned task elsewhere",
    )
    return Table("what it took, and what else it changed", head, tuple(rows))


def _goal_table(result: Mapping[str, Any]) -> Table:
    goal, rows = result["goal"], []
    for name, m in goal["standing"].items():
        reached = {True: "yes", False: "no", None: "not known"}[m["reached"]]
        values = (m["icl_drop"], m["icl_drop_upper_end"], m["share_of_full_target_gain"], m["seconds_ratio"])
        rows.append((f"{name} (best on dev)" if name == result["best"] else name, *map(_number, values), reached))
    head = (
        "method",
        f"ICL drop ≤ {goal['most_icl_drop']}",
        f"upper end ≤ {goal['most_icl_drop_upper_end']}",
        f"share of full's gain ≥ {goal['least_share_of_full_target_gain']}",
        f"time / full ≤ {goal['most_seconds_ratio']}",
        "goal reached",
    )
    return Table("the goal", head, tuple(rows))


def _where_tables(where: Mapping[str, Any]) -> list[Table]:
    layers = list(next(iter(where["restored"].values())))
    rows = [
        (letters, *(_number(by_layer[layer]["recovered"]) for layer in layers))
        for letters, by_layer in where["restored"].items()
    ]
    head = ("put back", *("every layer" if layer == "all" else f"layer {layer}" for layer in layers))
    cosine = where["gradient_cosine"]
    return [
        Table(
            f"share of the lost in-context learning that comes back ({len(where['tasks'])} tasks)", head, tuple(rows)
        ),
        Table(
            "relative change of the weights by layer",
            ("projection", *(f"layer {i}" for i in range(len(layers) - 1))),
            tuple((letter, *(f"{v:.4f}" for v in values)) for letter, values in where["projection_changes"].items()),
        ),
        Table(
            "cosine of the task's gradient and that of shuffled labels",
            ("model", "cosine"),
            tuple((name, f"{value:.3f}") for name, value in cosine.items()),
        ),
    ]


def _kept(m: Mapping[str, Any]) -> tuple[str, ...]:
    bounds = m["icl_drop_ci95"]
    drop = "" if m["icl_drop"] is None else f"{m['icl_drop']:+.3f}"
    drop += "" if bounds is None else f" [{bounds[0]:.3f}, {bounds[1]:.3f}]"
    return f"{m['target_gain']:+.3f}", drop, "" if m["gain_drop"] is None else f"{m['gain_drop']:+.3f}"


def _facts(result: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    first = next(iter(result["methods"].values()))
    facts = [
        f"targets: {', '.join(result['targets'])}",
        f"seeds: {', '.join(map(str, result['seeds']))}",
        f"the base gains {result['base']['gain_from_shots']:.3f} from {result['shots']} shots",
        f"{len(first['icl_tasks'])} held-out tasks where shots help it",
        f"best on dev: {result['best'] or 'not chosen'}",
    ]
    if "held_out_reads" in manifest:
        facts.append(f"held-out tasks were read once by each of {manifest['held_out_reads']} models")
    return facts


def _markdown(title: str, facts: Sequence[str], figures: Sequence[Mapping[str, str]], tables: Sequence[Table]) -> str:
    parts = [f"# {title}", "\n".join(f"- {fact}" for fact in facts), _HOW_TO_READ]
    parts += [f"![{f['name']}]({records.FIGURES}/{f['name']}.svg)\n\n{f['caption']}" for f in figures]
    parts += [f"## {table.title}\n\n{table.markdown().rstrip()}" for table in tables]
    return "\n\n".join(parts) + "\n"


def _look(name: str) -> tuple[str, str]:
    """Return a method's colour and marker: by which parameters move, and whether anything is done to keep what they hold."""
    if name.endswith(DIVERSE):
        return COLOURS[3], "s"
    groups = (
        ("lora", COLOURS[2]),
        ("value_frozen", COLOURS[1]),
        ("mlp", COLOURS[1]),
        ("value", COLOURS[4]),
        ("qk", COLOURS[5]),
    )
    colour = next((c for start, c in groups if name.startswith(start)), COLOURS[0])
    if name.startswith("promot") or name == "few_shot_aux":
        colour = COLOURS[7]
    if name == "full":
        colour = COLOURS[6]
    return colour, "D" if "+" in name else "o"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
