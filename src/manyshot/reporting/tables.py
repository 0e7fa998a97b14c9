"""Tables of a run as rows of text: the same rows serve the terminal, Markdown and the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a head and rows of text."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"| {' | '.join(self.head)} |", "|" + "---|" * len(self.head)]
        return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in self.rows)]) + "\n"


def curve_tables(summary: Mapping[str, Any], *, compact: bool = False) -> list[Table]:
    """Return one table a curve: methods down, shots across, 95 % intervals over queries beside each score.

    `compact` writes half the interval's width behind a ±, for terminals.
    """
    tables = []
    for group, n_tasks in summary["n_tasks"].items():
        shots = next((list(m[group]) for m in summary["methods"].values() if group in m), [])
        rows = []
        for name, method in summary["methods"].items():
            if group in method:
                cells = [_scored(method[group][k], method["ci95"][group][k], compact) for k in shots]
                rows.append((name, *cells, f"{method['worst_draw'][group][shots[-1]]:.3f}"))
        for name, groups in summary.get("differences", {}).items():
            # a study has its differences in a table of their own
            if group in groups and not summary.get("paired"):
                points = [groups[group].get(k) for k in shots]
                cells = [f"{p['mean']:+.3f} {_interval(p['ci95'])}" if p else "" for p in points]
                rows.append((name, *cells, ""))
        named = [str(k) if compact else f"{k} shots" for k in shots]
        worst = f"worst at {shots[-1]}" if compact and shots else f"worst draw at {shots[-1]}" if shots else ""
        head = ("shots" if compact else "method", *named, worst)
        tables.append(Table(f"{group.replace('_', ' ')} ({count_tasks(n_tasks)})", head, tuple(rows)))
    return tables


def count_tasks(n: int) -> str:
    """Return `1 task`, `2 tasks`, ..."""
    return f"{n} task" if n == 1 else f"{n} tasks"


def family_table(summary: Mapping[str, Any]) -> Table | None:
    """Return scores by family and shots for each method."""
    rows, shots = [], []
    for name, method in summary["methods"].items():
        for family, curve in method["families"].items():
            shots = list(curve)
            intervals = method["ci95"]["families"][family]
            rows.append((family, name, *(f"{curve[k]:.3f} {_interval(intervals[k])}" for k in shots)))
    if not rows:
        return None
    return Table("by family", ("family", "method", *(f"{k} shots" for k in shots)), tuple(sorted(rows)))


def task_table(summary: Mapping[str, Any]) -> Table:
    """Return each task's score at its largest number of shots, beside the floor."""
    methods = summary["methods"]
    names = list(dict.fromkeys(task for method in methods.values() for task in method["tasks"]))
    rows = []
    for task in names:
        known = next(m["tasks"][task] for m in methods.values() if task in m["tasks"])
        cells = []
        for method in methods.values():
            if task in method["tasks"]:
                own = method["tasks"][task]
                # a model of its own is asked without demonstrations
                asked = "" if own["shots"] == known["shots"] else f" at {own['shots']}"
                cells.append(f"{own['score']:.3f} {_interval(method['ci95']['tasks'][task])}{asked}")
            else:
                cells.append("")
        rows.append((task, str(known["shots"]), f"{known['floor']:.3f}", *cells))
    return Table("by task", ("task", "shots", "floor", *methods), tuple(rows))


def paired_table(summary: Mapping[str, Any], *, compact: bool = False) -> Table | None:
    """Return a study's differences between methods on the same queries and demonstrations, by shots, with intervals."""
    paired, means = summary.get("paired") or {}, summary.get("paired_mean") or {}
    shots = list(dict.fromkeys(k for by_shots in paired.values() for k in by_shots))
    if not shots:
        return None
    rows = []
    for name, by_shots in paired.items():
        cells = [_scored(means[name][k], by_shots[k], compact, "+") if k in by_shots else "" for k in shots]
        rows.append((name.replace("-", " − "), *cells))
    named = [str(k) if compact else f"{k} shots" for k in shots]
    head = ("shots" if compact else "methods", *named)
    return Table("differences on held-out tasks, paired", head, tuple(rows))


def preservation_table(result: Mapping[str, Any]) -> Table:
    """Return what each way of tuning taught its targets and what it left of in-context learning."""
    rows = []
    for name, m in [*result["methods"].items(), *((f"{k}, diverse", v) for k, v in result["diverse"].items())]:
        drop = "" if m["icl_drop"] is None else f"{m['icl_drop']:+.3f} {_interval(m['icl_drop_ci95'])}"
        fields = ("target_gain", "target_icl_gain")
        gains = ["" if m.get(key) is None else f"{m[key]:+.3f}" for key in fields]
        gain_drop = "" if m["gain_drop"] is None else f"{m['gain_drop']:+.3f}"
        rows.append((name, *gains, drop, gain_drop, _number(m.get("seconds_ratio")), f"{m.get('learning_rate', 0):g}"))
    shots = result["shots"]
    head = ("method", "target gain", f"at {shots} shots", "ICL drop", "gain drop", "time / full", "learning rate")
    return Table(f"tuned on one task, judged on others at {shots} shots", head, tuple(rows))


def cost_table(summary: Mapping[str, Any]) -> Table | None:
    """Return what each method consumed and what it did to general text."""
    fields = {
        "trained_tokens": "trained tokens",
        "supervised_answers": "supervised answers",
        "tokens_per_answer": "tokens per answer",
        "seconds": "training seconds",
        "general_bits_per_byte": "general text, bits per byte",
    }
    used = [key for key in fields if any(key in method for method in summary["methods"].values())]
    if not used:
        return None
    rows = tuple((n, *(_number(m.get(key)) for key in used)) for n, m in summary["methods"].items())
    return Table("cost", ("method", *(fields[key] for key in used)), rows)


def _scored(value: float, bounds: Sequence[float], compact: bool, sign: str = "") -> str:
    shown = f"{value:{sign}.3f}"
    return f"{shown}±{(bounds[1] - bounds[0]) / 2:.3f}" if compact else f"{shown} {_interval(bounds)}"


def _interval(bounds: Sequence[float]) -> str:
    return f"[{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
