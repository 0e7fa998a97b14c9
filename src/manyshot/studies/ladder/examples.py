"""A few queries with their whole prompt and what every method answered, for a reader who wants to see one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyshot.episodes import draw_demonstrations
from manyshot.records import read_predictions
from manyshot.tasks import Task

_SHOTS = 4
_N_EXAMPLES = 3


def worked_examples(tasks: Sequence[Task], folder: Path, shots: Sequence[int]) -> list[dict[str, Any]]:
    """Return three queries of tasks of different families: prompt, target, and each method's answer.

    The tasks are the first of their family by name and the query is the first that was asked: nothing is picked by what
    came out.
    """
    k = max((n for n in shots if n <= _SHOTS), default=min(shots))
    predictions = [p for p in read_predictions(folder) if p.shots == k and p.draw == 0]
    of_family: dict[str, Task] = {}
    for task in sorted(tasks, key=lambda task: task.name):
        of_family.setdefault(task.family, task)
    found = []
    for task in list(of_family.values())[:_N_EXAMPLES]:
        asked = [p for p in predictions if p.task == task.name]
        if not asked:
            continue
        query = min(p.query for p in asked)
        shown = [task.train[i] for i in draw_demonstrations(task, k, 0, draw=0)]
        template = task.template
        prompt = template.render_header(task.instruction) + "".join(
            template.render_prompt(e.input) + template.render_answer(e.output) + template.stop for e in shown
        )
        found.append(
            {
                "task": task.name,
                "family": task.family,
                "shots": k,
                "prompt": prompt + template.render_prompt(task.test[query].input),
                "target": task.test[query].output,
                "answers": {p.method: p.prediction for p in asked if p.query == query},
            }
        )
    return found
