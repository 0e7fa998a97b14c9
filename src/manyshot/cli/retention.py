"""`manyshot retention`: what a tuning left of in-context learning, before against after on the same queries."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manyshot.tasks import Task


def retention(
    base: Annotated[str, typer.Argument(help="The model before tuning: a folder or a Hub name.")],
    tuned: Annotated[str, typer.Argument(help="The model after it.")],
    tasks: Annotated[str, typer.Option(help="Task folders, folders of them, or suites; several with commas.")],
    more: Annotated[
        list[str] | None, typer.Option(help="Another tuned model as NAME=PATH; may be given several times.")
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="Names of the tasks that were tuned on, with commas. Without it: the suite's training tasks among those "
            "selected, none in a plain folder."
        ),
    ] = "",
    select: Annotated[str, typer.Option(help="Which tasks of a suite: splits, paths or patterns, with commas.")] = "*",
    shots: Annotated[str, typer.Option(help="Numbers of demonstrations, with commas; 0 among them.")] = "0,16",
    draws: Annotated[int, typer.Option(min=1, help="Independent choices of demonstrations.")] = 3,
    limit: Annotated[int, typer.Option(min=0, help="Queries a task; 0 takes all.")] = 100,
    text: Annotated[Path | None, typer.Option(help="General text (.txt or a folder) for bits per byte.")] = None,
    generate: Annotated[
        bool, typer.Option(help="Also generate labels freely, where tasks were tuned on: shows answers in their form.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Choice of queries and demonstrations.")] = 0,
    dtype: Annotated[str, typer.Option(help="Of the weights: auto, float32, bfloat16 or float16.")] = "auto",
    out: Annotated[Path, typer.Option(help="The run folder; one of the same comparison is resumed.")] = Path(
        "runs/retention"
    ),
) -> None:
    """Score models before and after tuning, and report what they kept: curves, drops with intervals, text, format, target."""
    from pydantic import ValidationError

    from manyshot import records
    from manyshot.cli.console import quiet_libraries, say, show, split_list, split_numbers
    from manyshot.cli.eval import first_fault
    from manyshot.errors import RecipeError
    from manyshot.evaluation import EvaluationOptions, measure_retention, read_judged
    from manyshot.files import write_json
    from manyshot.judging import evaluate_models, judged_in
    from manyshot.models import ModelOptions
    from manyshot.recipe import EvaluationRecipe, TextProbeOptions
    from manyshot.reporting import retention_tables, write_report

    quiet_libraries()
    paths = {"base": base, "tuned": tuned, **_named(more or [])}
    counts = split_numbers(shots)
    if 0 not in counts or len(set(counts)) < 2:
        raise RecipeError(f"--shots {shots}: a gain from shots needs 0 and one number more, for example 0,16")
    try:
        options = EvaluationOptions(tasks=split_list(select), shots=counts, draws=draws, limit=limit or None)
        recipe = EvaluationRecipe(
            models={name: ModelOptions(path=path, dtype=dtype) for name, path in paths.items()},  # type: ignore[arg-type]
            suites=split_list(tasks),
            evaluation=options,
            evaluation_text=TextProbeOptions(path=str(text)) if text else None,
            seed=seed,
        )
    except ValidationError as error:
        raise RecipeError(f"options: {first_fault(error)}") from None
    judged = judged_in(recipe)
    targets = _targets(judged, split_list(target))
    if len(targets) == len(judged):
        raise RecipeError(
            f"--select {select}: all {len(judged)} tasks are ones that were tuned on; select held-out ones too, or name with "
            "--target the ones that were tuned on"
        )
    if targets and generate:
        recipe = recipe.model_copy(update={"evaluation": options.model_copy(update={"stress": ["free"]})})
    evaluate_models(recipe, out, say)
    before = read_judged(out, "base")
    answers = {
        task.name: task.labels or {e.output for pool in (task.train, task.test) for e in pool} for task in targets
    }
    after = {name: read_judged(out, name) for name in paths if name != "base"}
    # all models on the same tasks: those that every window allows
    shared = set.intersection(*(set(measure_retention([before], [a], targets=answers).tasks) for a in after.values()))
    models = {
        name: measure_retention([before], [judged_after], targets=answers, foreign=shared).to_dict()
        for name, judged_after in after.items()
    }
    report = {"base": "base", "seeds": [seed], "models": models}
    write_json(out / records.RETENTION, report)
    for table in retention_tables(report):
        show(table)
    left_out = [task.name for task, _ in judged if task.name not in shared and task.name not in answers]
    if left_out:
        say(f"left out, for a pool or a window too short for {max(counts)} shots: {', '.join(left_out)}")
    say(f"report: {write_report(out)}")
    say(f"numbers: {out / records.RETENTION}")


def _named(more: list[str]) -> dict[str, str]:
    from manyshot.errors import RecipeError

    found: dict[str, str] = {}
    for item in more:
        name, equals, path = item.partition("=")
        if not (name and equals and path):
            raise RecipeError(f'--more "{item}" names no model; write it as NAME=PATH')
        if name in ("base", "tuned", *found) or "@" in name:
            raise RecipeError(f'--more "{item}": the name "{name}" is taken or holds an @; choose another')
        found[name] = path
    return found


def _targets(judged: "list[tuple[Task, str]]", names: list[str]) -> "list[Task]":
    from manyshot.errors import RecipeError, nearest

    if not names:
        return [task for task, role in judged if role == "seen"]
    known = {task.name: task for task, _ in judged}
    for name in names:
        if name not in known:
            raise RecipeError(f'--target "{name}" is none of the {len(known)} selected tasks{nearest(name, known)}')
    return [known[name] for name in names]
