"""Training rows: whole examples within the budget, spans that decode to the answers, row n a function of n alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from manyshot.episodes import Encoder, EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.errors import EpisodeError
from manyshot.tasks import Corpus, Example, Template
from tests import tiny
from tests.episodes.tokenizers import prefix_space, sentencepiece_like

TASKS = [tiny.word_task(), tiny.copy_task()]
CORPUS = Corpus("words", [" ".join(np.random.default_rng(i).permutation(tiny.WORDS)) for i in range(40)])
LONG = Example(" ".join(tiny.WORDS * 3), "north")


def dataset(tasks=TASKS, tokenizer=None, n_rows=20, seed=0, corpus=None, mix=None, **options):
    made = EpisodeOptions(**{"budget_tokens": 200, **options})
    return EpisodeDataset(tasks, tokenizer or tiny.tokenizer(), made, n_rows=n_rows, seed=seed, corpus=corpus, mix=mix)


def by_name(tasks=TASKS):
    return {task.name: task for task in tasks}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


# ---- what stands in a row


@pytest.mark.parametrize("tokenizer", [tiny.tokenizer, sentencepiece_like, prefix_space])
def test_the_prompt_of_query_i_is_the_beginning_of_a_training_row(tokenizer):
    encoder, rows = Encoder(tokenizer()), dataset(tokenizer=tokenizer())
    for n in range(6):
        episode = rows.episode(n)
        task = by_name()[episode.task]
        shown = [task.train[i] for i in episode.examples]
        for i, query in enumerate(shown):
            prompts = encoder.prompts(task, [e.input for e in shown[:i]])
            answers = encoder.answers(task, [e.output for e in shown[:i]])
            pieces = [piece for pair in zip(prompts, answers, strict=True) for piece in pair]
            asked = np.concatenate([encoder.header(task), *pieces, encoder.prompts(task, [query.input])[0]])
            assert episode.ids[: episode.bounds[i, 1]].tolist() == asked.tolist()


def test_every_answer_span_decodes_to_the_answer_and_its_stop_text():
    rows = dataset()
    for n in range(len(rows)):
        episode = rows.episode(n)
        for (_, start, end), i in zip(episode.bounds, episode.examples, strict=True):
            expected = f" {by_name()[episode.task].train[i].output}\n"
            assert tiny.tokenizer().decode(episode.ids[start:end].tolist()) == expected


def test_every_prompt_span_decodes_to_the_prompt():
    rows = dataset()
    for n in range(len(rows)):
        episode = rows.episode(n)
        for (start, end, _), i in zip(episode.bounds, episode.examples, strict=True):
            expected = f"Input: {by_name()[episode.task].train[i].input}\nOutput:"
            assert tiny.tokenizer().decode(episode.ids[start:end].tolist()) == expected


def test_a_row_is_its_header_and_its_examples_and_nothing_else():
    rows = dataset()
    for n in range(len(rows)):
        episode = rows.episode(n)
        header = Encoder(tiny.tokenizer()).header(by_name()[episode.task])
        assert episode.ids[: len(header)].tolist() == header.tolist()
        assert [len(header), *episode.bounds[:-1, 2]] == episode.bounds[:, 0].tolist()
        assert episode.bounds[-1, 2] == len(episode.ids)


def test_a_row_without_headers_begins_with_an_example():
    assert all(dataset(header=False)[n]["bounds"][0, 0] == 0 for n in range(20))


def test_labels_are_the_ids_of_answers_and_nothing_elsewhere():
    row = dataset()[0]
    inside = np.zeros(len(row["input_ids"]), bool)
    for _, start, end in row["bounds"]:
        inside[start:end] = True
    assert np.array_equal(row["labels"], np.where(inside, row["input_ids"], -100))


def test_labels_are_what_the_caller_says():
    def labels_of(ids, bounds):
        return np.where(np.arange(len(ids)) >= bounds[-1, 0], ids, -100).astype(np.int64)

    rows = EpisodeDataset(TASKS, tiny.tokenizer(), EpisodeOptions(budget_tokens=200), n_rows=3, labels_of=labels_of)
    row = rows[1]
    assert np.flatnonzero(row["labels"] != -100)[0] == row["bounds"][-1, 0]


def test_no_example_stands_twice_in_a_row():
    rows = dataset(budget_tokens=600)
    assert all(len(set(e.examples)) == len(e.examples) for e in map(rows.episode, range(20)))


def test_the_order_of_examples_differs_from_row_to_row():
    rows = dataset(tasks=TASKS[:1], budget_tokens=5000)
    orders = {rows.episode(n).examples for n in range(10)}
    assert len(orders) == 10
    assert {frozenset(order) for order in orders} == {frozenset(range(60))}


@settings(deadline=None, max_examples=25)
@given(st.integers(40, 700), st.sampled_from(["full", "uniform", "log_uniform"]), st.integers(0, 5))
def test_rows_hold_whole_examples_within_the_budget(budget, length, seed):
    rows = dataset(n_rows=8, seed=seed, budget_tokens=budget, length=length)
    for n in range(8):
        episode = rows.episode(n)
        assert len(episode.ids) <= budget
        assert episode.n_examples == len(episode.examples) >= 1


@settings(deadline=None, max_examples=25)
@given(st.integers(60, 500), st.integers(0, 5))
def test_a_full_row_has_no_room_for_another_example(budget, seed):
    rows = dataset(n_rows=8, seed=seed, budget_tokens=budget)
    for n in range(8):
        episode = rows.episode(n)
        pool = next(t for t in rows.tasks if t.name == episode.task)
        assert len(episode.ids) + pool.lengths.max() > budget or episode.n_examples == len(pool.lengths)


def test_a_row_has_at_most_the_examples_asked_for():
    assert {dataset(max_examples=3).episode(n).n_examples for n in range(20)} == {3}


@pytest.mark.parametrize("length", ["log_uniform", "uniform"])
def test_varied_lengths_reach_from_the_fewest_to_the_most_examples(length):
    rows = dataset(budget_tokens=2000, length=length, min_examples=2, max_examples=8, n_rows=300)
    assert {rows.episode(n).n_examples for n in range(300)} == set(range(2, 9))


def test_log_uniform_lengths_are_as_often_in_each_doubling():
    rows = dataset(budget_tokens=2000, length="log_uniform", max_examples=15, n_rows=1200)
    counts = np.array([rows.episode(n).n_examples for n in range(1200)])
    shares = [np.mean((counts >= low) & (counts < 2 * low)) for low in (1, 2, 4, 8)]
    # a fourth each; four standard deviations of a share among 1200 rows are .05
    assert shares == pytest.approx([0.25] * 4, abs=0.05)


# ---- what does not fit


def test_an_example_over_the_budget_is_left_out_and_counted():
    task = tiny.word_task()
    task = replace(task, train=[*task.train[:5], LONG, *task.train[5:], LONG])
    rows = dataset([task, TASKS[1]], budget_tokens=100)
    assert rows.dropped == {"words": 2}
    assert all(LONG.input not in tiny.tokenizer().decode(rows[n]["input_ids"].tolist()) for n in range(20))


def test_positions_of_examples_are_those_in_the_pool_also_where_some_were_left_out():
    task = tiny.word_task()
    task = replace(task, train=[LONG, *task.train])
    rows = dataset([task], budget_tokens=100)
    for n in range(20):
        episode = rows.episode(n)
        text = tiny.tokenizer().decode(episode.ids.tolist())
        assert [f"Input: {task.train[i].input}\n" in text for i in episode.examples] == [True] * episode.n_examples


def test_a_task_without_an_example_that_fits_is_refused_with_the_tokens_it_needs():
    task = replace(tiny.word_task("long"), train=[LONG])
    with pytest.raises(EpisodeError) as caught:
        dataset([TASKS[0], task], budget_tokens=60)
    message = str(caught.value)
    encoded = Encoder(tiny.tokenizer()).examples(task, task.train)
    assert 'task "long": none of its 1 examples fits 60 tokens' in message
    assert f"needs {len(encoded.header) + int(encoded.lengths[0])})" in message
    assert "episodes.budget_tokens" in message


def test_an_example_that_just_fits_is_kept():
    task = replace(tiny.word_task(), train=tiny.word_task().train[:1])
    encoded = Encoder(tiny.tokenizer()).examples(task, task.train)
    rows = dataset([task], budget_tokens=len(encoded.header) + int(encoded.lengths[0]))
    assert rows.dropped == {}
    assert rows.episode(0).n_examples == 1


def test_no_tasks_are_refused():
    with pytest.raises(EpisodeError, match="no tasks"):
        dataset([])


# ---- row n is a function of n


def test_a_row_does_not_depend_on_the_number_of_rows():
    few, many = dataset(n_rows=5), dataset(n_rows=5000)
    assert all(same(few[n], many[n]) for n in range(5))


def test_a_row_does_not_depend_on_the_rows_read_before_it():
    forward, backward = dataset(), dataset()
    read = {n: backward[n] for n in (7, 3, 3, 19, *reversed(range(20)))}
    assert all(same(forward[n], read[n]) for n in range(20))


def test_a_row_does_not_depend_on_global_generators():
    rows = dataset()
    first = rows[4]
    np.random.seed(1)
    np.random.rand(10)
    assert same(rows[4], first)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_row_does_not_depend_on_the_number_of_workers(n_workers):
    rows = dataset()
    loaded = [row for (row,) in DataLoader(rows, batch_size=1, collate_fn=list, num_workers=n_workers)]
    assert len(loaded) == 20
    assert all(same(row, rows[n]) for n, row in enumerate(loaded))


def test_rows_and_seeds_differ():
    a, b = dataset(), dataset(seed=1)
    texts = {rows[n]["input_ids"].tobytes() for rows in (a, b) for n in range(20)}
    assert len(texts) == 40


def test_a_row_outside_the_dataset_is_an_index_error():
    rows = dataset(n_rows=3)
    for n in (3, -1):
        with pytest.raises(IndexError):
            rows[n]


def test_the_number_of_rows_is_what_the_tokens_of_all_examples_fill():
    rows = dataset(n_rows=None, budget_tokens=200)
    encoder = Encoder(tiny.tokenizer())
    n_tokens = sum(int(encoder.examples(task, task.train).lengths.sum()) for task in TASKS)
    assert len(rows) == n_tokens // 200


# ---- which kind a row is


@pytest.mark.parametrize(("weights", "share"), [("equal", 0.5), ("size", 0.6)])
def test_tasks_are_drawn_equally_or_by_size(weights, share):
    rows = dataset(n_rows=1500, max_examples=1, mix=MixOptions(task_weights=weights))
    drawn = np.mean([rows.episode(n).task == "words" for n in range(1500)])
    # 60 of 100 examples are its own; four standard deviations are .05
    assert drawn == pytest.approx(share, abs=0.05)


def test_text_rows_are_mixed_in_at_their_share():
    rows = dataset(n_rows=1000, corpus=CORPUS, mix=MixOptions(text=0.3), max_examples=1)
    assert np.mean([rows[n]["is_text"] for n in range(1000)]) == pytest.approx(0.3, abs=0.06)


def test_a_text_row_is_a_window_of_the_documents_with_an_end_after_each():
    rows = dataset([], corpus=CORPUS, mix=MixOptions(text=1.0), budget_tokens=64)
    eos = tiny.tokenizer().eos_token_id
    stream = [i for d in CORPUS.documents for i in [*tiny.tokenizer()(d, add_special_tokens=False)["input_ids"], eos]]
    windows = {tuple(stream[i : i + 64]) for i in range(len(stream) - 63)}
    assert all(tuple(rows[n]["input_ids"].tolist()) in windows for n in range(20))


def test_a_text_row_trains_every_token_but_its_first():
    row = dataset([], corpus=CORPUS, mix=MixOptions(text=1.0), budget_tokens=64)[0]
    assert row["is_text"]
    assert row["labels"].tolist() == [-100, *row["input_ids"][1:].tolist()]


def test_mixing_text_in_does_not_change_the_rows_that_stay():
    # rows of tasks are the same whatever the share of text, so two runs differ in the text alone
    without, half = dataset(corpus=CORPUS), dataset(corpus=CORPUS, mix=MixOptions(text=0.5))
    stay = [n for n in range(20) if not half[n]["is_text"]]
    assert 0 < len(stay) < 20
    assert all(same(half[n], without[n]) for n in stay)


def test_text_rows_without_a_corpus_are_refused():
    with pytest.raises(EpisodeError, match=r"mix\.text is 0\.5"):
        dataset(mix=MixOptions(text=0.5))


@pytest.mark.parametrize("documents", [[], [""]])
def test_a_corpus_too_short_for_one_target_is_refused(documents):
    with pytest.raises(EpisodeError):
        dataset([], corpus=Corpus("empty", documents), mix=MixOptions(text=1.0))


def test_a_template_of_several_stop_tokens_is_trained_whole():
    task = replace(tiny.word_task(), template=Template(stop="\n###\n"))
    episode = dataset([task]).episode(0)
    _, start, end = episode.bounds[0]
    assert tiny.tokenizer().decode(episode.ids[start:end].tolist()).endswith("\n###\n")
