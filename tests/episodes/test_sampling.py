"""Demonstrations are nested, differ from draw to draw, and never show a query's own input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from manyshot.episodes import EpisodeOptions, choose_examples, draw_demonstrations, draw_queries, is_recall
from manyshot.tasks import Example, Task, Template
from tests import tiny


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3), st.integers(0, 3))
def test_fewer_demonstrations_are_the_first_of_more(few, many, seed, draw):
    few, many = sorted((few, many))
    task = tiny.word_task()
    assert draw_demonstrations(task, many, seed, draw)[:few] == draw_demonstrations(task, few, seed, draw)


def test_demonstrations_are_as_many_as_asked_for_and_each_another():
    drawn = draw_demonstrations(tiny.word_task(), 16, 0, 0)
    assert len(set(drawn)) == 16


def test_draws_seeds_and_tasks_have_demonstrations_of_their_own():
    drawn = [
        draw_demonstrations(tiny.word_task(name), 16, seed, draw)
        for name in ("a", "b")
        for seed in (0, 1)
        for draw in (0, 1)
    ]
    assert len(set(map(tuple, drawn))) == 8


def test_a_demonstration_never_has_a_query_s_input():
    task = tiny.word_task()
    # also where the answer differs: the query would be answered by reading
    twins = [Example(e.input, "south") for e in task.test]
    task = replace(task, train=[*twins, *task.train])
    drawn = draw_demonstrations(task, 1000, 0, 0)
    assert sorted(drawn) == list(range(len(twins), len(task.train)))


def test_demonstrations_are_drawn_evenly():
    task = tiny.word_task(n_train=20)
    counts = np.bincount([draw_demonstrations(task, 1, 0, draw)[0] for draw in range(2000)], minlength=20)
    # 100 each; four standard deviations are 39
    assert counts.min() > 60
    assert counts.max() < 140


def test_without_a_limit_every_query_is_asked():
    assert draw_queries(tiny.word_task(n_test=12), None, 0) == list(range(12))
    assert draw_queries(tiny.word_task(n_test=12), 50, 0) == list(range(12))


def test_a_limit_draws_distinct_queries_in_rising_order():
    drawn = draw_queries(tiny.word_task(n_test=40), 10, 0)
    assert len(set(drawn)) == 10
    assert drawn == sorted(drawn)
    assert drawn != draw_queries(tiny.word_task(n_test=40), 10, 1)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=80),
    st.integers(30, 400),
    st.integers(1, 10),
    st.sampled_from(["full", "uniform", "log_uniform"]),
    st.integers(0, 9),
)
def test_chosen_examples_are_distinct_and_fit(lengths, budget, most, length, seed):
    options = EpisodeOptions(budget_tokens=budget, max_examples=most, length=length)
    chosen = choose_examples(np.array(lengths), 0, options, np.random.default_rng(seed))
    assert 1 <= len(chosen) <= most
    assert len(set(chosen)) == len(chosen)
    assert sum(lengths[i] for i in chosen) <= budget


def test_the_first_example_of_a_row_is_drawn_evenly_from_a_large_pool():
    options = EpisodeOptions(max_examples=2)
    rng = np.random.default_rng(0)
    first = [choose_examples(np.ones(20, int), 0, options, rng)[0] for _ in range(2000)]
    counts = np.bincount(first, minlength=20)
    assert counts.min() > 60
    assert counts.max() < 140


def test_more_least_than_most_examples_are_refused():
    with pytest.raises(ValidationError, match="max_examples is 2, below min_examples 3"):
        EpisodeOptions(min_examples=3, max_examples=2)


def test_a_task_of_recall_shows_its_queries_and_any_other_task_does_not():
    rows = [Example(f"word{i % 5}", f"label{i % 5}") for i in range(40)]
    recall = Task("recall", "recall", "", "accuracy", None, rows, rows[:5], Template())
    assert is_recall(recall)
    assert len(draw_demonstrations(recall, 40, 0, 0)) == 40
    distinct = [Example(f"word{i}", "label") for i in range(40)]
    other = Task("other", "other", "", "accuracy", None, distinct, distinct[:5], Template())
    assert not is_recall(other)
    assert len(draw_demonstrations(other, 40, 0, 0)) == 35
    # every input is a query: without them there would be nothing to show
    whole = Task("whole", "recall", "", "accuracy", None, distinct[:5], distinct[:5], Template())
    assert len(draw_demonstrations(whole, 40, 0, 0)) == 5
