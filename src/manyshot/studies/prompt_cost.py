"""What an answer costs in tokens that the model reads before it: with all demonstrations each time, or those read once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from manyshot.episodes import Encoder, draw_demonstrations
from manyshot.records import Score
from manyshot.tasks import Task


def prompt_costs(
    tasks: Mapping[str, Task],
    scores: Sequence[Score],
    queries: Mapping[str, Sequence[int]],
    tokenizer: Any,
    shots: Iterable[int],
) -> dict[str, Any]:
    """Return mean prompt tokens an answer by number of shots, over the tasks, draws and queries that a method was scored on.

    `prompt_tokens` counts header, demonstrations and query for each answer; `primed_prompt_tokens` the former two once for
    all of a task's queries, as evaluation reads them through its cache. The tokens of the answers come on top of both.
    """
    encoder = Encoder(tokenizer)
    whole: dict[str, float] = {}
    primed: dict[str, float] = {}
    pieces = {name: _Pieces(encoder, tasks[name], queries[name]) for name in {s.task for s in scores}}
    most = {name: max(s.actual_shots for s in scores if s.task == name) for name in pieces}
    for k in shots:
        cells = [s for s in scores if s.shots == k]
        before = [pieces[s.task].before(s.actual_shots, s.draw, most[s.task]) for s in cells]
        own = [pieces[s.task].query_tokens for s in cells]
        if cells:
            whole[str(k)] = round(float(np.mean(before) + np.mean(own)), 1)
            primed[str(k)] = round(
                float(np.mean([b / s.n for b, s in zip(before, cells, strict=True)]) + np.mean(own)), 1
            )
    return {"prompt_tokens": whole, "primed_prompt_tokens": primed}


class _Pieces:
    """Lengths of one task's pieces in tokens, each demonstration encoded once."""

    def __init__(self, encoder: Encoder, task: Task, queries: Sequence[int]) -> None:
        self.encoder, self.task = encoder, task
        self.header = len(encoder.header(task))
        self.query_tokens = float(encoder.prompts(task, [task.test[q].input for q in queries]).lengths.mean())
        self._lengths: dict[int, int] = {}
        self._drawn: dict[int, list[int]] = {}

    def before(self, shots: int, draw: int, most: int) -> int:
        """Return the tokens of header and demonstrations."""
        if draw not in self._drawn:
            self._drawn[draw] = [int(i) for i in draw_demonstrations(self.task, most, 0, draw)]
            new = [i for i in self._drawn[draw] if i not in self._lengths]
            lengths = self.encoder.examples(self.task, [self.task.train[i] for i in new]).lengths if new else []
            self._lengths |= dict(zip(new, map(int, lengths), strict=True))
        return self.header + sum(self._lengths[i] for i in self._drawn[draw][:shots])
