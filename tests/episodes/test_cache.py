"""Rows from the cache are the rows without it, bit for bit; the key tells apart all that ids depend on."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch.utils.data import DataLoader

from manyshot.episodes import Encoder, EpisodeDataset, EpisodeOptions, MixOptions, encoding
from manyshot.episodes import cache as caching
from manyshot.errors import EpisodeError, TaskError
from manyshot.models import train_tokenizer
from manyshot.tasks import Example, Task, Template, load_task, save_task
from manyshot.tasks import folder as folders
from tests import tiny
from tests.episodes.chats import CHATML, chat_tokenizer
from tests.episodes.tokenizers import prefix_space, sentencepiece_like

LONG = Example(" ".join(tiny.WORDS * 20), "north")


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A cache of its own, that takes tasks of any size, in batches that do not divide them."""
    monkeypatch.setenv("MANYSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(caching, "LARGE_EXAMPLES", 0)
    monkeypatch.setattr(caching, "_SMALL_BYTES", 0)
    monkeypatch.setattr(encoding, "BATCH", 7)
    return tmp_path / "cache" / "encoded"


def tasks() -> list[Task]:
    words = tiny.word_task()
    return [replace(words, train=[*words.train[:20], LONG, *words.train[20:]]), tiny.copy_task()]


def dataset(made=None, tokenizer=None, n_rows=40, mix=None, **options) -> EpisodeDataset:
    fields = EpisodeOptions(**{"budget_tokens": 200, **options})
    return EpisodeDataset(made or tasks(), tokenizer or tiny.tokenizer(), fields, n_rows=n_rows, mix=mix)


def same_rows(a: EpisodeDataset, b: EpisodeDataset) -> bool:
    pairs = ((a[n], b[n]) for n in range(a.n_rows))
    return len(a) == len(b) and all(
        x.keys() == y.keys() and all(np.array_equal(x[key], y[key]) for key in x) for x, y in pairs
    )


def count_encodings(monkeypatch) -> list[int]:
    """Return a list that grows by the number of texts with every use of the tokenizer for examples."""
    texts: list[int] = []
    inner = Encoder.continuations

    def counted(self, texts_, **options):
        texts.append(len(texts_))
        return inner(self, texts_, **options)

    monkeypatch.setattr(Encoder, "continuations", counted)
    return texts


# ---- the same rows


@pytest.mark.parametrize("tokenizer", [tiny.tokenizer, sentencepiece_like, prefix_space])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": "balanced"},
        {"order": "similar", "header": False},
        {"length": "log_uniform", "budget_tokens": 120},
        {"mix": MixOptions(symbols=0.4, flipped=0.3)},
        {"n_rows": None},
    ],
    ids=["plain", "balanced", "similar", "short", "relabelled", "number of rows"],
)
def test_rows_are_the_same_without_a_cache_with_a_new_one_and_with_a_full_one(cached, tokenizer, options):
    without = dataset(tokenizer=tokenizer(), cache=False, **options)
    assert not cached.exists()
    new = dataset(tokenizer=tokenizer(), **options)
    assert len(list(cached.iterdir())) == 2
    full = dataset(tokenizer=tokenizer(), **options)
    assert without.dropped == new.dropped == full.dropped
    assert same_rows(without, new)
    assert same_rows(without, full)


@pytest.mark.parametrize("chat", ["system", "user"])
def test_rows_of_conversations_are_the_same_from_the_cache(cached, chat):
    made = [replace(tiny.word_task(), template=Template(prompt="{input}", answer="{output}", chat=chat))]
    options = {"tokenizer": chat_tokenizer("byte level", CHATML), "budget_tokens": 500, "n_rows": 10}
    mix = MixOptions(symbols=0.5)
    without = dataset(made, cache=False, mix=mix, **options)
    assert same_rows(without, dataset(made, mix=mix, **options))
    assert same_rows(without, dataset(made, mix=mix, **options))


def test_rows_of_a_large_file_are_those_of_the_same_task_in_memory(cached, tmp_path, monkeypatch):
    places = [save_task(task, tmp_path / task.name) for task in tasks()]
    in_memory = [load_task(place) for place in places]
    monkeypatch.setattr(folders, "LAZY_BYTES", 0)
    from_file = [load_task(place) for place in places]
    expected = dataset(in_memory, cache=False)
    assert same_rows(dataset(from_file), expected)
    assert same_rows(dataset(from_file), expected)
    assert same_rows(dataset(from_file, cache=False), expected)


@pytest.mark.parametrize("n_workers", [0, 2])
def test_workers_read_the_cache_side_by_side(cached, n_workers):
    rows, expected = dataset(n_rows=60), dataset(n_rows=60, cache=False)
    loader = DataLoader(rows, batch_size=None, num_workers=n_workers, shuffle=False)
    for got, n in zip(loader, range(60), strict=True):
        assert np.array_equal(np.asarray(got["input_ids"]), expected[n]["input_ids"])


def test_a_dataset_over_the_cache_can_be_sent_to_another_process(cached):
    rows = dataset()
    assert same_rows(pickle.loads(pickle.dumps(rows)), rows)


def test_free_text_outputs_beyond_those_remembered_are_encoded_the_same(cached, monkeypatch):
    made = [tiny.copy_task(n_train=200)]
    expected = dataset(made, cache=False)
    monkeypatch.setattr(encoding, "_MOST_SHARED", 5)
    assert same_rows(dataset(made), expected)


# ---- what is encoded, and when


def test_a_full_cache_encodes_no_example(cached, monkeypatch):
    dataset(made=tasks())
    texts = count_encodings(monkeypatch)
    dataset(made=tasks())
    assert sum(texts) == 0


def test_texts_are_encoded_a_batch_at_a_time(cached, monkeypatch):
    texts = count_encodings(monkeypatch)
    dataset(made=tasks())
    assert max(texts) == 7
    assert sum(texts) >= 61 + 40


def test_small_tasks_are_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("MANYSHOT_CACHE", str(tmp_path / "cache"))
    dataset()
    assert not (tmp_path / "cache").exists()


# ---- the key


def test_the_same_content_has_the_same_key_whatever_was_done_with_the_tokenizer(cached):
    one, two = tiny.tokenizer(), pickle.loads(pickle.dumps(tiny.tokenizer()))
    two(["a", "a b c"], padding=True, truncation=True, max_length=2)
    keys = {caching.cache_key(Encoder(t), tiny.word_task(name), instruction=True) for t in (one, two) for name in "ab"}
    assert len(keys) == 1


def test_the_key_changes_with_all_that_ids_depend_on(cached):
    task, plain = tiny.word_task(), Encoder(tiny.tokenizer())
    changed = [
        replace(task, train=task.train[1:]),
        replace(task, train=[*task.train[:-1], Example(task.train[-1].input + " ", task.train[-1].output)]),
        replace(task, train=[*task.train[:-1], Example(task.train[-1].input, "south")]),
        replace(task, template=Template(prompt="Q: {input}\nA:")),
        replace(task, template=Template(answer=" <{output}>")),
        replace(task, template=Template(stop="\n\n")),
        replace(task, labels=None),
    ]
    keys = [caching.cache_key(plain, one, instruction=True) for one in (task, *changed)]
    keys.append(caching.cache_key(Encoder(train_tokenizer([" ".join(tiny.WORDS)], 300)), task, instruction=True))
    keys.append(caching.cache_key(Encoder(prefix_space()), task, instruction=True))
    assert len(set(keys)) == len(keys)


def test_an_instruction_at_the_head_of_every_turn_is_part_of_the_key(cached):
    encoder = Encoder(chat_tokenizer("byte level", CHATML))
    task = replace(tiny.word_task(), template=Template(prompt="{input}", answer="{output}", chat="user"))
    keys = {caching.cache_key(encoder, task, instruction=said) for said in (True, False)}
    keys.add(caching.cache_key(encoder, replace(task, instruction="Other."), instruction=True))
    assert len(keys) == 3


# ---- files


def test_a_file_of_the_cache_is_a_safetensors_file_of_the_ids(cached):
    task = tasks()[0]
    dataset([task])
    stored = load_file(next(cached.iterdir()))
    encoded = Encoder(tiny.tokenizer()).examples(task, task.train)
    assert stored["prompt_ids"].tolist() == np.concatenate(list(encoded.prompts)).tolist()
    assert np.diff(stored["prompt_offsets"]).tolist() == [len(p) for p in encoded.prompts]
    offsets, ids = stored["answer_offsets"], stored["answer_ids"]
    for k, answer in zip(stored["answer_of"], encoded.answers, strict=True):
        assert ids[offsets[k] : offsets[k + 1]].tolist() == answer.tolist()


def test_a_malformed_row_leaves_nothing_in_the_cache_and_is_named(cached, tmp_path, monkeypatch):
    place = save_task(tiny.word_task(), tmp_path / "t")
    with (place / "train.jsonl").open("a") as file:
        file.write('{"input": "a", "output": "west"}\n')
    monkeypatch.setattr(folders, "LAZY_BYTES", 0)
    with pytest.raises(TaskError, match=r"train.jsonl:61: output \"west\" is not among"):
        dataset([load_task(place)])
    assert list(cached.iterdir()) == []


def test_a_file_that_is_not_whole_is_refused_by_name(cached):
    dataset(tasks()[:1])
    place = next(cached.iterdir())
    for content in (place.read_bytes()[:-1], b"", b"\xff" * 8, b"x" * 100):
        place.write_bytes(content)
        with pytest.raises(EpisodeError, match=f"{place.name}: this file of the cache is not whole; delete it"):
            dataset(tasks()[:1])


def test_a_cache_that_cannot_be_written_is_refused_with_the_way_out(cached, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MANYSHOT_CACHE", str(tmp_path / "file"))
    with pytest.raises(EpisodeError, match="set MANYSHOT_CACHE to a folder"):
        dataset()


def test_the_cache_is_no_part_of_what_a_run_is_known_by():
    assert EpisodeOptions(cache=False).model_dump() == EpisodeOptions().model_dump()
