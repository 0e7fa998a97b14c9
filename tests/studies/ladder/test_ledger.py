import numpy as np
import pytest

from manyshot.episodes import Encoder, build_episode, draw_demonstrations
from manyshot.records import Score
from manyshot.studies.ladder.ledger import prompt_costs
from manyshot.tasks import Example
from tests import tiny


def prompt_tokens(task, shots, draw, query):
    """The tokens before the answer of the last example of one whole episode."""
    shown = [task.train[i] for i in draw_demonstrations(task, shots, 0, draw)]
    encoded = Encoder(tiny.tokenizer()).examples(
        task, [*shown, Example(task.test[query].input, task.test[query].output)]
    )
    return int(build_episode(encoded, range(shots + 1)).bounds[-1][1])


def test_the_cost_of_an_answer_is_the_length_of_whole_prompts():
    tasks = {task.name: task for task in (tiny.word_task(), tiny.copy_task())}
    queries = {"words": [0, 3, 5], "copy": [1, 2]}
    scores = [
        Score("m", name, task.family, task.metric, k, k, draw, len(queries[name]), 0.5, 0.0)
        for name, task in tasks.items()
        for k in (0, 4)
        for draw in (0, 1)
    ]
    costs = prompt_costs(tasks, scores, queries, tiny.tokenizer(), [0, 4])
    for k in (0, 4):
        each = [
            np.mean([prompt_tokens(tasks[s.task], k, s.draw, q) for q in queries[s.task]])
            for s in scores
            if s.shots == k
        ]
        assert costs["prompt_tokens"][str(k)] == pytest.approx(np.mean(each), abs=0.06)


def test_demonstrations_that_are_read_once_are_shared_by_the_queries():
    task = tiny.word_task()
    score = Score("m", task.name, task.family, task.metric, 4, 4, 0, 10, 0.5, 0.0)
    costs = prompt_costs({task.name: task}, [score], {task.name: list(range(10))}, tiny.tokenizer(), [4])
    own = np.mean([len(ids) for ids in Encoder(tiny.tokenizer()).prompts(task, [e.input for e in task.test[:10]])])
    before = costs["prompt_tokens"]["4"] - own
    assert costs["primed_prompt_tokens"]["4"] == pytest.approx(own + before / 10, abs=0.1)
