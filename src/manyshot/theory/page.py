"""Write theory.json, its summary, the figures and report.html, one self-contained page with each formula beside its curve."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from manyshot.errors import TheoryError
from manyshot.files import read_json, write_json, write_text
from manyshot.theory.figures import draw_all
from manyshot.theory.page_text import FORMULAS, INTRODUCTION, PAGE, SECTION
from manyshot.theory.summary import summarise

Result = dict[str, Any]


def check_out(out: Path) -> None:
    """Raise TheoryError if `out` is a file, or a folder that holds something else than an earlier theory run."""
    if out.exists() and not out.is_dir():
        raise TheoryError(f"{out} is a file; --out needs a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    own = out / "theory.json"
    if not own.is_file():
        raise TheoryError(f"{out} is not empty and holds no theory.json; choose another folder, nothing was written")
    found = read_json(own)
    if not (isinstance(found, dict) and {"closed_form", "monte_carlo", "meta"} <= found.keys()):
        raise TheoryError(f"{own} was not written by this command; choose another folder, nothing was written")


def write_report(result: Result, out: Path) -> Path:
    """Write all files of a run into `out` and return the page's path. An earlier theory run there is replaced."""
    check_out(out)
    write_json(out / "theory.json", result)
    write_json(out / "summary.json", summarise(result))
    figures = draw_all(result)
    for name, svg in figures.items():
        write_text(out / "figures" / name, svg)
    write_text(out / "report.html", render_page(result, figures))
    return out / "report.html"


def render_page(result: Result, figures: dict[str, str]) -> str:
    """Return report.html; figures are embedded as data, so the page needs no network and no folder."""
    notes = {
        "errors": oracle_table(result),
        "trade_off": trade_off_note(result),
        "descent": descent_table(result),
        "many_tasks": many_tasks_table(result),
    }
    sections = [
        Template(SECTION).substitute(
            title=escape(part.title),
            formula=part.formula,
            text=part.text,
            code=escape(part.code),
            figure=_embed(figures[f"{part.figure}.svg"], part.title),
            note=notes.get(part.figure, ""),
            layout="wide" if part.wide else "beside",
        )
        for part in FORMULAS
    ]
    meta = result["meta"]
    world = meta["setting"]
    facts = (
        f"{meta['preset']} run, seed {meta['seed']}: d = {world['d']}, s² = {world['noise']}, m = {world['m']}, Σ = I, "
        f"a = w = {world['a']:.4f}, c = {world['c']}; {meta['monte_carlo_prompts']:,} Monte Carlo prompts; SGD with "
        "batch "
        f"{meta['descent']['batch_prompts']:,}, {meta['descent']['n_seeds']} seeds; {meta['seconds']['all']:.0f} s "
        "in all."
    )
    return Template(PAGE).substitute(introduction=INTRODUCTION, facts=escape(facts), sections="\n".join(sections))


def oracle_table(result: Result) -> str:
    """Return closed forms and Monte Carlo at n = 0, 1, 5, 10, 20."""
    names = list(result["closed_form"])
    rows = []
    for n in ("0", "1", "5", "10", "20"):
        cells = [n]
        for name in names:
            drawn = result["monte_carlo"][name][n]
            cells.append(
                f"{result['closed_form'][name][n]:.4f}<br><small>{drawn['mean']:.4f} ± {drawn['se']:.4f}</small>"
            )
        rows.append(cells)
    distance = max(x["largest_distance_in_se"] for x in result["checks"]["monte_carlo"].values())
    share = max(x["largest_relative_se"] for x in result["checks"]["monte_carlo"].values())
    heads = ["n", *(name.replace("V66", "V(w=.66) ").replace("-", "−") for name in names)]
    return _table(heads, rows, "Closed form; below it Monte Carlo ± one standard error.") + (
        f"<p>Over all curves and n = 0..{len(result['closed_form']['P']) - 1} the two are at most {distance:.2f} "
        "standard errors "
        f"apart; the largest standard error is {100 * share:.2f} % of its value.</p>"
    )


def trade_off_note(result: Result) -> str:
    """Return the w that each loss picks and what it costs."""
    trade = result["trade_off"]
    rows = [
        [escape(name.replace("theta_0", "θ₀")), f"{p['w']:.4f}", f"{p['target']:.4f}", f"{p['foreign']:.4f}"]
        for name, p in trade["chosen"].items()
    ]
    caption = f"{trade['n']} shots, value only."
    return _table(["loss", "w", "target", "foreign"], rows, caption) + (
        f"<p>With many tasks both pay {trade['regret_at_many_tasks']:.4f} above their own best; as n grows this "
        "tends to "
        f"{trade['regret_limit']:.4f}, not to 0.</p>"
    )


def descent_table(result: Result) -> str:
    """Return what SGD reached: zero-shot and 20-shot errors of every method, and the gap to the closed form."""
    rows = []
    for name, kinds in result["sgd"]["methods"].items():
        last, mean = kinds["last"], kinds["averaged"]
        cells = [escape(name)]
        cells += [
            f"{last[task][n]['mean']:.3f}"
            for task, n in (("target", "0"), ("target", "20"), ("foreign", "20"), ("many", "20"))
        ]
        gap = mean.get("gap")
        cells += (
            ["", "", ""]
            if gap is None
            else [str(mean["form"]), f"{100 * gap['own_form']:.1f} %", f"{100 * gap['axial_form']:.1f} %"]
        )
        rows.append(cells)
    heads = [
        "method",
        "0-shot target",
        "20-shot target",
        "20-shot foreign",
        "20-shot all tasks",
        "form",
        "gap",
        "gap, six numbers",
    ]
    caption = (
        "Errors: weights of the last step, mean over seeds, exact for the learned matrices. Gap: largest relative "
        "distance over "
        "both tasks and n = 0..20 between averaged weights and the closed form at the learned a, rho or w, then at "
        "all six "
        "numbers of the axial family."
    )
    return _table(heads, rows, caption)


def many_tasks_table(result: Result) -> str:
    """Return the sums ZS + MT (lambda = 1) above the floors for each length of prompt."""
    rows = []
    floor = 2 * result["meta"]["setting"]["noise"]
    for m, frontier in result["many_tasks"]["frontiers"].items():
        row = next(r for r in frontier["rows"] if r["lambda"] == 1.0)
        price = {
            name: row[name]["zero_shot"] + row[name]["many"] - floor for name in ("value", "one head", "two heads")
        }
        rows.append([f"{int(m):,}", *(f"{x:.4f}" for x in price.values()), f"{row['one_head_price']:.4f}"])
    heads = ["m", "value only", "one head", "two heads", "one head, asymptotic form"]
    return _table(heads, rows, "Price: ZS(θ₀) + MT above the two noise floors, at the best parameters for λ = 1.")


def _table(heads: list[str], rows: list[list[str]], caption: str) -> str:
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{caption}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _embed(svg: str, title: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'
