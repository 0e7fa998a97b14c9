"""`manyshot eval`: score one or more models on tasks, over shots and draws of demonstrations."""

from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    models: Annotated[str, typer.Argument(help="A model folder or Hub name; several, with commas, are compared.")],
    tasks: Annotated[str, typer.Option(help="Task folders, folders of them, or suites; several with commas.")],
    out: Annotated[Path, typer.Option(help="The run folder; one of the same evaluation is resumed.")] = Path(
        "runs/eval"
    ),
    shots: Annotated[str, typer.Option(help="Numbers of demonstrations, with commas.")] = "0,4,16",
    draws: Annotated[int, typer.Option(min=1, help="Independent choices of demonstrations.")] = 2,
    limit: Annotated[int, typer.Option(min=0, help="Queries a task; 0 takes all.")] = 100,
    select: Annotated[str, typer.Option(help="Which tasks of a suite: splits, paths or patterns, with commas.")] = "*",
    seed: Annotated[int, typer.Option(help="Choice of queries and demonstrations.")] = 0,
    scoring: Annotated[
        str, typer.Option(help="How labels are compared: raw, normalised, calibrated or channel.")
    ] = "raw",
    demonstrations: Annotated[str, typer.Option(help="How they are chosen: random, balanced or bm25.")] = "random",
    score_stop: Annotated[bool, typer.Option(help="Score labels with the stop text behind them.")] = True,
    stress: Annotated[
        str, typer.Option(help="Also under stress: sorted, flipped, abstract, order, free; several with commas.")
    ] = "",
    text: Annotated[Path | None, typer.Option(help="Plain text (.txt or a folder) for bits per byte.")] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Also the free curve: every number of shots from one pass.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(help="URL of an OpenAI-compatible server; MODELS are names it serves.")
    ] = None,
    chat: Annotated[
        str | None, typer.Option(help="Show tasks as conversations, the instruction in a system or user turn.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="Of the weights: auto, float32, bfloat16 or float16.")] = "auto",
) -> None:
    """Score models on the same queries behind the same demonstrations; two or more models also get their differences."""
    from pydantic import ValidationError

    from manyshot.cli.console import quiet_libraries, say, show, split_list, split_numbers
    from manyshot.errors import RecipeError
    from manyshot.evaluation import EvaluationOptions
    from manyshot.judging import evaluate_models
    from manyshot.models import ModelOptions
    from manyshot.recipe import EvaluationRecipe, TextProbeOptions
    from manyshot.reporting import curve_tables, stress_table, task_table, write_report

    quiet_libraries()
    paths = split_list(models)
    try:
        recipe = EvaluationRecipe(
            models={n: ModelOptions(path=p, dtype=dtype) for n, p in zip(short_names(paths), paths, strict=True)},  # type: ignore[arg-type]
            suites=split_list(tasks),
            evaluation=EvaluationOptions(
                tasks=split_list(select),
                shots=split_numbers(shots),
                draws=draws,
                limit=limit or None,
                scoring=scoring,  # type: ignore[arg-type]
                demonstrations=demonstrations,  # type: ignore[arg-type]
                score_stop=score_stop,
                stress=split_list(stress),  # type: ignore[arg-type]
            ),
            evaluation_text=TextProbeOptions(path=str(text)) if text else None,
            chat=chat,  # type: ignore[arg-type]
            curve=curve,
            endpoint=endpoint,
            seed=seed,
        )
    except ValidationError as error:
        raise RecipeError(f"options: {first_fault(error)}") from None
    summary = evaluate_models(recipe, out, say)
    page = write_report(out)
    for table in [*curve_tables(summary), task_table(summary), stress_table(summary)]:
        if table is not None:
            show(table)
    say(f"report: {page}")


def first_fault(error: Any) -> str:
    """Return what is wrong first with a set of options, and with which."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message} (it is {first['input']!r})" if first["type"] == "literal_error" else message


def short_names(paths: list[str]) -> list[str]:
    """Return the shortest ends of the paths that tell them apart."""
    parts = [path.rstrip("/").split("/") for path in paths]
    for n in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(part[-n:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i})" for i, path in enumerate(paths, start=1)]
