"""`manyshot tasks`: validate task folders and show what is in them."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def tasks(
    path: Annotated[Path, typer.Argument(help="A task folder, a folder of them, or one with suite.json.")],
    model: Annotated[str | None, typer.Option(help="Count tokens as this model's tokenizer does.")] = None,
    leaks: Annotated[
        bool, typer.Option("--leaks", help="Also check that held-out tasks share no text with training.")
    ] = False,
) -> None:
    """Validate tasks; list their numbers of examples, mean lengths and balance of labels."""
    from manyshot.cli.console import say, show
    from manyshot.reporting.tables import Table
    from manyshot.tasks import find_leaks, open_suite, refuse_leaks

    suite = open_suite(path)
    count = _token_counter(model)
    rows = []
    for place, task in zip(suite.paths, suite.load(suite.paths), strict=True):
        sample = task.train[:500]
        input_tokens = sum(count(task.template.render_prompt(e.input)) for e in sample) / len(sample)
        output_tokens = sum(count(task.template.render_answer(e.output)) for e in sample) / len(sample)
        balance = "free text"
        # reads every row, so that a malformed one of a large file is named too
        common = Counter(e.output for e in task.train).most_common()
        if task.labels is not None:
            unused = len(task.labels) - len(common)
            balance = f"{len(task.labels)} labels, {common[0][1] / len(task.train):.0%} {common[0][0]!r}"
            balance += f", {unused} never used" if unused else ""
        numbers = (f"{len(task.train):,}", f"{len(task.test):,}", f"{input_tokens:.1f}", f"{output_tokens:.1f}")
        rows.append((task.name, suite.role(place), task.family, task.metric, *numbers, balance))
    unit = "tokens" if model else "tokens (about, bytes / 4)"
    head = ("task", "part", "family", "metric", "train", "test", f"prompt {unit}", f"answer {unit}", "answers")
    show(Table(f"{path}: {len(rows)} tasks", head, tuple(rows)))
    if leaks:
        held = [p for split in ("dev", "held_out") for p in suite.splits.get(split, ())]
        refuse_leaks(find_leaks(suite.load(suite.splits.get("train", ())), suite.load(held), suite.text_groups()))
        say("no held-out task shares text with a training task")


def _token_counter(model: str | None):
    if model is None:
        return lambda text: len(text.encode("utf-8")) / 4
    from manyshot.models import load_tokenizer

    tokenizer = load_tokenizer(model)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])
