"""`manyshot inspect`: one training row, coloured by what is trained."""

from pathlib import Path
from typing import Annotated

import typer

from manyshot.cli.train import Overrides


def inspect_row(
    recipe: Annotated[Path, typer.Argument(help="A recipe (.yaml).")],
    row: Annotated[int, typer.Option(min=0, help="Which row.")] = 0,
    stage: Annotated[str | None, typer.Option(help="Which stage; the last one unless named.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="A model folder whose tokenizer to use.")] = None,
    overrides: Overrides = None,
) -> None:
    """Show a training row: trained tokens in green on the text, prompts plain; then counts."""
    from rich.text import Text

    from manyshot.cli.console import console, quiet_libraries, say
    from manyshot.errors import RecipeError
    from manyshot.objectives import weigh_row
    from manyshot.recipe import load_recipe
    from manyshot.stage_data import build_dataset, general_tasks, recipe_tokenizer
    from manyshot.tasks import open_suite

    quiet_libraries()
    resolved = load_recipe(recipe, overrides or ())
    stages = {s.name: s for s in resolved.stages}
    if stage is not None and stage not in stages:
        raise RecipeError(f'no stage "{stage}"; stages are {", ".join(stages)}')
    chosen = stages[stage] if stage else resolved.stages[-1]
    suite = open_suite(resolved.suite.path, chat=resolved.suite.chat)
    tasks = suite.load(suite.select(chosen.data.tasks)) if chosen.data.mix.text < 1 else []
    loaded = recipe_tokenizer(resolved, tokenizer)
    dataset = build_dataset(chosen, tasks, loaded, resolved.seed, row + 1, general_tasks(chosen, resolved.suite.chat))
    episode = dataset.episode(row)
    weighed = weigh_row(episode.bounds, len(episode.ids), chosen.objective, is_text=not episode.examples)
    text = Text()
    ids = episode.ids.tolist()
    at = 0
    while at < len(ids):
        end = at + 1
        while end < len(ids) and (weighed.weights[end] > 0) == (weighed.weights[at] > 0):
            end += 1
        trained = weighed.weights[at] > 0
        # outside a terminal there are no colours, so brackets mark what is trained
        piece = loaded.decode(ids[at:end])
        text.append(
            piece if console.is_terminal or not trained else f"⟦{piece}⟧", style="black on green" if trained else ""
        )
        at = end
    console.print(text)
    n_targets = int((weighed.weights > 0).sum())
    say(
        f"\nrow {row} of stage {chosen.name}: task {episode.task}, {episode.n_examples} examples, {len(ids)} tokens of "
        f"{chosen.data.episodes.budget_tokens}, {weighed.n_answers} supervised answers, {n_targets} target tokens "
        f"({n_targets / len(ids):.0%}); scope {chosen.objective.scope}, averaged per {chosen.objective.averaging}"
    )
