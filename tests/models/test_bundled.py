from pathlib import Path

import pytest
import torch

import manyshot
from manyshot.inference import Reader
from manyshot.models import count_parameters, load_model, load_tokenizer
from manyshot.pretraining.words import evaluation_word
from manyshot.tasks.builtin import forbidden_texts, suite_vocabulary
from tests.pretraining.test_world import forbidden_in

FOLDER = Path(manyshot.__file__).parent / "models" / "bundled"


@pytest.fixture(scope="module")
def bundled():
    return load_model("bundled")


def test_the_bundled_model_is_small_reads_8192_tokens_and_is_qwen3(bundled):
    assert count_parameters(bundled.model) <= 4_000_000
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 8 << 20
    assert bundled.model.config.model_type == "qwen3"
    assert bundled.model.config.max_position_embeddings == 8192


def test_it_is_loaded_by_its_name_from_anywhere(bundled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    again = load_model("bundled")
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), bundled.model.parameters(), strict=True))
    assert load_tokenizer("bundled").get_vocab() == bundled.tokenizer.get_vocab()


def test_a_folder_called_bundled_comes_before_it(tmp_path, monkeypatch):
    from tests import tiny

    tiny.model("llama").save_pretrained(tmp_path / "bundled")
    tiny.tokenizer().save_pretrained(tmp_path / "bundled")
    monkeypatch.chdir(tmp_path)
    assert load_model("bundled").model.config.model_type == "llama"


def test_it_knows_every_word_of_the_world_as_one_token_and_no_label(bundled):
    words = [w for parts in suite_vocabulary()["words"].values() for words in parts.values() for w in words]
    assert all(len(bundled.tokenizer(" " + word)["input_ids"]) == 1 for word in words)
    labels = [word for words in suite_vocabulary()["labels"].values() for word in words]
    single = [word for word in labels if len(bundled.tokenizer(" " + word)["input_ids"]) == 1]
    # pieces of made-up words may spell a short label by chance
    assert len(single) < len(labels) / 10


def test_the_check_of_its_documents_reads_the_suites_own_texts():
    assert forbidden_in("Input: the cat\nOutput: blik") >= {"Input:", "Output:", "blik"}
    assert len(forbidden_texts()) > 200


def test_it_recalls_labels_of_words_that_no_training_used(bundled):
    from random import Random

    from manyshot.pretraining.probe import probe

    assert evaluation_word(Random(0))
    cells = probe(Reader(bundled.model, bundled.tokenizer), templates=("arrow",), labels=(4,), shots=(0, 32), n_tasks=6)
    first, last = cells
    assert last.accuracy >= 2 * max(first.accuracy, last.floor)


def test_a_folder_that_somebody_writes_by_hand_shows_more_with_32_shots(bundled):
    from random import Random

    from manyshot.judging import evaluate
    from manyshot.tasks import Example, Task
    from manyshot.tasks.template import default_template

    words = (
        "anchor basil cactus dagger ember falcon gravel hazel icicle jungle kernel lantern meteor nectar onyx prairie "
        "quartz ribbon saddle thimble"
    ).split()
    labels = ("blorp", "snarg", "wimble", "tosk")
    rows = [Example(word, labels[i % 4]) for i, word in enumerate(words)]
    rng = Random(5)
    shown = [rng.choice(rows) for _ in range(200)]
    task = Task("words", "recall", "", "accuracy", labels, shown, rows, default_template(list(labels)))
    curve = evaluate(bundled.model, bundled.tokenizer, [task], shots=[0, 32], draws=5)["methods"]["model"]["held_out"]
    assert curve["32"] >= 2 * max(curve["0"], 0.25)
