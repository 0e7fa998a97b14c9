"""Rows whose labels are symbols or other labels: consistent within a row, new in each, and nothing else changed."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions, symbol_pool, symbol_task
from manyshot.episodes.relabelling import derangement
from manyshot.errors import EpisodeError
from manyshot.tasks import Example, as_chat
from manyshot.tasks.builtin.labels import LABELS
from tests import tiny
from tests.episodes.chats import CHATML, chat_tokenizer


def dataset(mix, task=None, tokenizer=None, n_rows=40, budget=250, **options):
    return EpisodeDataset(
        [task or tiny.word_task()],
        tokenizer or tiny.tokenizer(),
        EpisodeOptions(budget_tokens=budget, **options),
        n_rows=n_rows,
        mix=MixOptions(**mix),
    )


def shown(rows, n, task, tokenizer=None):
    """[(true label, label that the row shows)] of a row, read off its tokens."""
    episode, tokenizer = rows.episode(n), tokenizer or tiny.tokenizer()
    pairs = []
    for (_, start, end), i in zip(episode.bounds, episode.examples, strict=True):
        text = tokenizer.decode(episode.ids[start:end].tolist())
        pairs.append((task.train[i].output, text.strip()))
    return pairs


@pytest.mark.parametrize("how", ["symbols", "flipped"])
def test_a_row_shows_one_label_for_each_true_one_and_rows_differ(how):
    task, rows = tiny.word_task(), dataset({how: 1.0})
    mappings = []
    for n in range(len(rows)):
        pairs = shown(rows, n, task)
        mapping = dict(pairs)
        assert set(pairs) == set(mapping.items())
        assert len(set(mapping.values())) == len(mapping)
        mappings.append(tuple(sorted(mapping.items())))
    assert len(set(mappings)) > (20 if how == "symbols" else 1)


def test_symbols_are_words_of_the_training_pool():
    task, rows = tiny.word_task(), dataset({"symbols": 1.0})
    said = {word for n in range(40) for _, word in shown(rows, n, task)}
    assert said <= set(symbol_pool("train"))
    assert len(said) > 60


def test_flipped_labels_are_the_task_s_own_and_none_keeps_its_place():
    task, rows = tiny.word_task(), dataset({"flipped": 1.0})
    pairs = {pair for n in range(40) for pair in shown(rows, n, task)}
    assert all(true != said for true, said in pairs)
    # three labels have two derangements, and both come up
    assert pairs == {(a, b) for a in tiny.LABELS for b in tiny.LABELS if a != b}


@pytest.mark.parametrize("how", ["symbols", "flipped"])
def test_a_relabelled_row_has_no_instruction_and_the_same_prompts(how):
    task, rows = tiny.word_task(), dataset({how: 1.0})
    for n in range(10):
        episode = rows.episode(n)
        assert episode.bounds[0, 0] == 0
        for (start, middle, _), i in zip(episode.bounds, episode.examples, strict=True):
            asked = tiny.tokenizer().decode(episode.ids[start:middle].tolist())
            assert asked == f"Input: {task.train[i].input}\nOutput:"


def test_relabelled_rows_keep_to_the_token_budget():
    rows = dataset({"symbols": 0.5, "flipped": 0.5}, n_rows=60, budget=60)
    assert max(len(rows.episode(n).ids) for n in range(60)) <= 60


def test_each_kind_has_its_share():
    task, rows = tiny.word_task(), dataset({"symbols": 0.3, "flipped": 0.2}, n_rows=600, max_examples=6)
    kinds = []
    for n in range(600):
        pairs = shown(rows, n, task)
        kinds.append("own" if pairs[0][0] == pairs[0][1] else "flipped" if pairs[0][1] in tiny.LABELS else "symbols")
    assert np.mean([k == "symbols" for k in kinds]) == pytest.approx(0.3, abs=0.07)
    assert np.mean([k == "flipped" for k in kinds]) == pytest.approx(0.2, abs=0.07)


def test_tasks_without_labels_give_the_rows_they_always_gave():
    plain, mixed = (dataset(mix, tiny.copy_task()) for mix in ({}, {"symbols": 0.9}))
    assert all(np.array_equal(plain.episode(n).ids, mixed.episode(n).ids) for n in range(20))


def test_in_a_conversation_the_instruction_leaves_every_turn():
    task = tiny.word_task()
    task = replace(task, template=as_chat(task.template, "user"))
    tokenizer = chat_tokenizer("byte level", CHATML)
    rows = dataset({"symbols": 1.0}, task, tokenizer)
    said = tokenizer.decode(rows.episode(0).ids.tolist())
    assert task.instruction not in said
    assert task.instruction in tokenizer.decode(dataset({}, task, tokenizer).episode(0).ids.tolist())


def test_the_pools_of_symbols_share_nothing_and_hold_no_label_of_the_built_in_suite():
    train, evaluation = set(symbol_pool("train")), set(symbol_pool("evaluation"))
    assert len(train) == len(evaluation) == 1024
    assert not train & evaluation
    assert not (train | evaluation) & {word for words in LABELS.values() for word in words}


def test_a_task_judged_by_symbols_shows_those_of_the_other_pool_one_for_one():
    task = tiny.word_task()
    judged = symbol_task(task, seed=0)
    assert set(judged.labels or ()) <= set(symbol_pool("evaluation"))
    for before, after in ((task.train, judged.train), (task.test, judged.test)):
        assert [e.input for e in before] == [e.input for e in after]
        assert len({(a.output, b.output) for a, b in zip(before, after, strict=True)}) == 3
    assert judged.instruction == ""
    assert symbol_task(task, 0) == judged != symbol_task(task, 0, draw=1)


def test_a_task_without_labels_cannot_be_judged_by_symbols():
    with pytest.raises(EpisodeError, match="has no labels"):
        symbol_task(tiny.copy_task(), 0)


def test_more_labels_than_symbols_are_refused():
    labels = tuple(f"label {i}" for i in range(1100))
    task = replace(tiny.word_task(), labels=labels, train=[Example("a", "label 3")], test=())
    with pytest.raises(EpisodeError, match="1100 labels, more than the 1024 symbols"):
        dataset({"symbols": 0.1}, task)


def test_shares_beyond_one_are_refused():
    with pytest.raises(ValidationError, match=r"symbols is 0\.6 and flipped 0\.5"):
        MixOptions(symbols=0.6, flipped=0.5)


def test_derangements_are_drawn_evenly():
    rng = np.random.default_rng(0)
    drawn = [tuple(derangement(4, rng).tolist()) for _ in range(1800)]
    # four things have nine derangements
    assert len(set(drawn)) == 9
    assert min(drawn.count(one) for one in set(drawn)) > 140
