"""Balanced rows show all labels alike without telling the next one; similar rows end with an example and what is most like it."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from manyshot.episodes import Encoder, EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.episodes.sampling import task_probabilities
from manyshot.episodes.similarity import Neighbours
from manyshot.tasks import Example
from tests import tiny

RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(tiny.WORDS, 4)) for _ in range(80)]


def skewed_task(n=120):
    """One label in a hundred is `south`, the others are few too."""
    task = tiny.word_task()
    outputs = ["south", *["east side"] * 9, *["north"] * (n - 10)]
    return replace(task, train=[Example(f"{TEXTS[i % 80]} {i}", o) for i, o in enumerate(outputs)], test=())


def rows_of(task, order, n_rows=300, **options):
    made = EpisodeOptions(budget_tokens=400, order=order, **options)
    return EpisodeDataset([task], tiny.tokenizer(), made, n_rows=n_rows)


def outputs_of(rows, task, n):
    return [task.train[i].output for i in rows.episode(n).examples]


def test_balanced_rows_begin_with_every_label_equally_often_however_rare_it_is():
    task = skewed_task()
    rows = rows_of(task, "balanced", max_examples=3)
    first = Counter(outputs_of(rows, task, n)[0] for n in range(300))
    # 100 each; four standard deviations are 33
    assert all(abs(first[label] - 100) < 33 for label in tiny.LABELS)
    plain = rows_of(task, "shuffled", max_examples=3)
    assert Counter(outputs_of(plain, task, n)[0] for n in range(300))["south"] < 15


def test_the_labels_of_a_balanced_row_do_not_tell_the_next_one():
    task = replace(skewed_task(), train=[Example(f"{t} {i}", tiny.LABELS[i % 3]) for i, t in enumerate(TEXTS)])
    rows = rows_of(task, "balanced", n_rows=900, max_examples=3)
    third = Counter(o[2] for o in (outputs_of(rows, task, n) for n in range(900)) if (o[0], o[1]) == ("north", "south"))
    assert min(third.values()) > 15
    assert len(third) == 3


def test_balanced_rows_hold_distinct_examples_and_go_on_when_a_label_is_used_up():
    task = skewed_task(40)
    rows = rows_of(task, "balanced", n_rows=20)
    for n in range(20):
        chosen = rows.episode(n).examples
        assert len(set(chosen)) == len(chosen) > 12


def test_a_task_without_labels_is_shuffled_where_others_are_balanced():
    plain, balanced = (rows_of(tiny.copy_task(), order, n_rows=10) for order in ("shuffled", "balanced"))
    assert all(plain.episode(n).examples == balanced.episode(n).examples for n in range(10))


def cosine(a, b, documents):
    """Of tf-idf vectors, by the book."""

    def vector(text):
        counts = Counter(text)
        return {t: n * math.log(len(documents) / sum(t in d for d in documents)) for t, n in counts.items()}

    u, v = vector(a), vector(b)
    dot = sum(w * v.get(t, 0) for t, w in u.items())
    return dot / math.sqrt(sum(w * w for w in u.values()) * sum(w * w for w in v.values()))


def test_cosines_are_those_of_tf_idf_vectors():
    prompts = list(Encoder(tiny.tokenizer()).prompts(tiny.word_task(), TEXTS[:25]))
    documents = [p.tolist() for p in prompts]
    index = Neighbours.of(prompts)
    for anchor in (0, 7, 24):
        expected = [cosine(documents[anchor], other, documents) for other in documents]
        assert index.cosines(anchor) == pytest.approx(expected, abs=1e-5)


def test_the_nearest_come_in_order_without_the_anchor_and_its_twins():
    texts = [*TEXTS[:30], TEXTS[3], TEXTS[3]]
    prompts = list(Encoder(tiny.tokenizer()).prompts(tiny.word_task(), texts))
    index = Neighbours.of(prompts)
    found = index.nearest(3, 6)
    cosines = index.cosines(3)
    assert not {3, 30, 31} & set(found)
    others = sorted((i for i in range(30) if i != 3), key=lambda i: (-cosines[i], i))
    assert found == others[:6]
    assert len(index.nearest(3, 100)) == 29


def test_a_similar_row_ends_with_an_example_and_the_likest_before_it():
    task = replace(tiny.word_task(), train=[Example(f"{t} {i}", "north") for i, t in enumerate(TEXTS)], test=())
    index = Neighbours.of(list(Encoder(tiny.tokenizer()).prompts(task, [e.input for e in task.train])))
    rows = rows_of(task, "similar", n_rows=30, max_examples=6)
    for n in range(30):
        *before, anchor = rows.episode(n).examples
        cosines = index.cosines(anchor)[before].tolist()
        assert cosines == sorted(cosines)
        assert cosines[-1] == np.delete(index.cosines(anchor), anchor).max()
    assert len({rows.episode(n).examples[-1] for n in range(30)}) > 15


def test_similar_rows_keep_to_the_token_budget():
    rows = rows_of(skewed_task(), "similar", n_rows=20)
    assert max(len(rows.episode(n).ids) for n in range(20)) <= 400


@pytest.mark.parametrize("power", [0.0, 0.3, 0.5, 1.0])
def test_tasks_are_drawn_by_their_size_to_a_power(power):
    found = task_probabilities([10, 1000, 50], MixOptions(task_weights=power).task_weights)
    assert found.sum() == pytest.approx(1)
    assert found[1] / found[0] == pytest.approx(100**power)
    assert found[2] / found[0] == pytest.approx(5**power)


def test_the_words_for_powers_mean_their_numbers():
    for word, power in (("equal", 0.0), ("size", 1.0)):
        assert task_probabilities([3, 9], word) == pytest.approx(task_probabilities([3, 9], power))
