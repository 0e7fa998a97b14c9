"""`manyshot predict`: answer queries of a task from demonstrations in the prompt."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    model: Annotated[str, typer.Argument(help="A Hugging Face or PEFT folder, or a Hub name.")],
    texts: Annotated[list[str], typer.Argument(help="Inputs of the queries.")],
    task: Annotated[Path, typer.Option(help="The task folder: demonstrations come from its training rows.")],
    shots: Annotated[int, typer.Option(min=0, help="Demonstrations before the queries.")] = 16,
    seed: Annotated[int, typer.Option(help="Choice of demonstrations.")] = 0,
    chat: Annotated[
        str | None, typer.Option(help="Show the task as a conversation, the instruction in a system or user turn.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest generated answer.")] = 64,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Show every label's probability.")] = False,
) -> None:
    """Print one answer a line. The demonstrations are read once, however many queries follow."""
    import math

    from manyshot.cli.console import quiet_libraries, say
    from manyshot.episodes import draw_demonstrations
    from manyshot.inference import Reader
    from manyshot.models import load_model
    from manyshot.tasks import load_task

    quiet_libraries()
    loaded, described = load_model(model), load_task(task, chat=chat)  # type: ignore[arg-type]
    demonstrations = [described.train[i] for i in draw_demonstrations(described, shots, seed, draw=0)]
    primed = Reader(loaded.model, loaded.tokenizer).prime(described, demonstrations)
    for answer in primed.answer(texts, max_new_tokens=max_new_tokens, full=probabilities):
        line = answer.output
        if answer.logprobs is not None:
            total = math.log(sum(math.exp(value) for value in answer.logprobs.values()))
            ranked = sorted(answer.logprobs.items(), key=lambda item: -item[1])
            line += "   " + "  ".join(f"{label} {math.exp(value - total):.3f}" for label, value in ranked)
        say(line)
