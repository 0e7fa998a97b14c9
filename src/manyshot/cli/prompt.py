"""`manyshot prompt`: the exact text and token ids that a model would read."""

from pathlib import Path
from typing import Annotated

import typer


def prompt(
    model: Annotated[str, typer.Argument(help="A model folder or Hub name; only its tokenizer is loaded.")],
    text: Annotated[str, typer.Argument(help="The query's input.")],
    task: Annotated[Path, typer.Option(help="The task folder.")],
    shots: Annotated[int, typer.Option(min=0, help="Demonstrations before the query.")] = 16,
    seed: Annotated[int, typer.Option(help="Choice of demonstrations.")] = 0,
    chat: Annotated[
        str | None, typer.Option(help="Show the task as a conversation, the instruction in a system or user turn.")
    ] = None,
) -> None:
    """Print the prompt for a query, and its token ids: what `predict` and `eval` read, to the token."""
    import numpy as np

    from manyshot.cli.console import quiet_libraries, say
    from manyshot.episodes import Encoder, build_episode, draw_demonstrations
    from manyshot.models import load_tokenizer
    from manyshot.tasks import load_task

    quiet_libraries()
    tokenizer = load_tokenizer(model)
    loaded = load_task(task, chat=chat)  # type: ignore[arg-type]
    encoder = Encoder(tokenizer)
    chosen = draw_demonstrations(loaded, shots, seed, draw=0)
    encoded = encoder.examples(loaded, [loaded.train[i] for i in chosen])
    episode = build_episode(encoded, range(len(chosen)))
    ids = np.concatenate([episode.ids, encoder.prompts(loaded, [text])[0]])
    say(tokenizer.decode(ids.tolist()))
    say(f"\n{len(chosen)} shots, {len(ids)} tokens: {ids.tolist()}")
