"""`manyshot demo`: the ladder's smallest preset on the bundled model, from nothing to a report, offline."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="The run folder; an unfinished one is resumed.")] = Path("runs/demo"),
) -> None:
    """Tune the bundled model three ways on equal tokens and show what each makes of examples in the prompt."""
    from manyshot.cli.console import quiet_libraries, say
    from manyshot.cli.study import report
    from manyshot.studies import Ladder, LadderPreset, load_preset

    quiet_libraries()
    preset = load_preset("demo", LadderPreset)
    say(
        "The bundled model has 1.3 million parameters and never saw a task. Three ways of fine-tuning it follow, each on "
        f"the same number of tokens of 150 small tasks; then all are asked to do tasks that none was tuned on, with 0 to "
        f"{max(preset.shots)} examples in the prompt. It takes {preset.cost}."
    )
    report(Ladder(preset, out, say).execute(), out)
    say("next, with a table of your own (columns text and label):")
    say("  manyshot init mine.csv --input-column text --output-column label --out tasks/mine")
    say("  manyshot train tasks/mine/recipe.yaml --out runs/mine")
    say("  manyshot predict runs/mine/model 'a new text' --task tasks/mine")
