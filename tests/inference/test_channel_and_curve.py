"""Channel scores, calibration, retrieval, own demonstrations and the free curve, each against plain re-reading."""

import numpy as np
import pytest
import torch

from manyshot.episodes import build_episode, draw_demonstrations
from manyshot.errors import EvaluationError
from manyshot.inference import Reader, Retriever, balanced_demonstrations, channel_task, free_curve
from tests import tiny


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(tiny.model("qwen3"), tiny.tokenizer())


def logprob_of_end(model, ids, n) -> float:
    """log p of the last n tokens given those before, by one plain forward."""
    tokens = torch.as_tensor(np.asarray(ids, np.int64))[None]
    with torch.no_grad():
        steps = torch.log_softmax(model(tokens).logits[0].float(), -1)
    return steps[-n - 1 : -1].gather(1, tokens[0, -n:, None]).sum().item()


def test_channel_scores_the_input_behind_each_label(reader):
    task = tiny.word_task()
    turned, shown, query = channel_task(task), list(task.train[:3]), task.test[0].input
    answer = reader.prime(task, shown, scoring="channel").answer([query], full=True)[0]
    t = turned.template
    before = task.template.render_header(task.instruction)
    before += "".join(t.render_prompt(e.output) + t.render_answer(e.input) + t.stop for e in shown)
    for label in tiny.LABELS:
        whole = reader.encoder.start(before + t.render_prompt(label) + t.render_answer(query) + t.stop)
        n = len(reader.encoder.answers(turned, [query])[0])
        assert answer.logprobs[label] == pytest.approx(logprob_of_end(reader.model, whole, n), abs=1e-3)
    assert answer.output == max(answer.logprobs, key=answer.logprobs.__getitem__)


def test_calibration_takes_off_what_the_prompt_prefers_without_content(reader):
    task, shown = tiny.word_task(), tiny.word_task().train[:4]
    queries = [e.input for e in task.test[:5]]
    plain = reader.prime(task, shown)
    spread = plain.answer(queries, full=True)
    empty = plain.answer(["N/A", "[MASK]", "..."], full=True)
    prior = {y: np.log(np.mean([np.exp(a.logprobs[y]) for a in empty])) for y in tiny.LABELS}
    found = reader.prime(task, shown, scoring="calibrated").answer(queries)
    for answer, direct in zip(found, spread, strict=True):
        assert answer.output == max(tiny.LABELS, key=lambda y: direct.logprobs[y] - prior[y])


def test_own_demonstrations_equal_a_prefix_of_them(reader):
    task = tiny.word_task()
    queries = [e.input for e in task.test[:4]]
    own = [[task.train[i] for i in few] for few in ([0, 1, 2], [0, 1, 5], [0, 7], [])]
    together = reader.prime(task).answer(queries, full=True, demonstrations=own)
    for query, few, answer in zip(queries, own, together, strict=True):
        alone = reader.prime(task, few).answer([query], full=True)[0]
        assert answer.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_what_retrieved_prompts_share_is_read_once(reader):
    task = tiny.word_task()
    queries = [e.input for e in task.test[:4]]
    same = [list(task.train[:5])] * 4
    primed = reader.prime(task)
    primed.answer(queries, demonstrations=same)
    n_shared = int(reader.example_lengths(task, task.train[:5]).sum())
    n_queries = int(reader.prompt_lengths(task, queries).sum())
    assert primed.tokens_computed < len(primed.prefix) + n_shared + n_queries + 4 * 8


def test_bm25_finds_examples_that_share_words_and_never_a_query():
    task = tiny.word_task()
    found = Retriever(task).retrieve([e.input for e in task.test], 5)
    queries = {e.input for e in task.test}
    shared = 0
    for query, row in zip(task.test, found, strict=True):
        assert len(row) == 5
        assert not queries & {task.train[i].input for i in row}
        shared += any(set(query.input.split()[:2]) & set(task.train[i].input.split()) for i in row)
    assert shared >= len(task.test) - 1


def test_balanced_demonstrations_hold_each_label_equally_often_and_are_nested():
    task = tiny.word_task(n_train=90)
    nine = balanced_demonstrations(task, 9, 0, 0)
    assert balanced_demonstrations(task, 6, 0, 0) == nine[:6]
    outputs = [task.train[i].output for i in nine]
    assert {outputs.count(label) for label in tiny.LABELS} == {3}
    with pytest.raises(EvaluationError, match="no labels"):
        balanced_demonstrations(tiny.copy_task(), 4, 0, 0)


def test_the_free_curve_equals_a_prompt_for_every_number_of_shots(reader):
    task = tiny.word_task()
    chosen = draw_demonstrations(task, 6, 0, 0)
    encoded = reader.encoder.examples(task, [task.train[i] for i in chosen])
    curve = free_curve(reader.model, build_episode(encoded, range(6)))
    for k in range(6):
        shown = [task.train[i] for i in chosen[:k]]
        answer = reader.prime(task, shown).answer([task.train[chosen[k]].input], full=True)[0]
        assert -curve.nll[k] == pytest.approx(answer.logprobs[task.train[chosen[k]].output], abs=1e-4)
