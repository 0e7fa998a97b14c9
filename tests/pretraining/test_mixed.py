"""Rows that are partly a corpus, and what a tokenizer learns from, against what they are made of one by one."""

import json
import random

import numpy as np
import pytest
import yaml

from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.errors import RecipeError
from manyshot.files import read_lines, write_json
from manyshot.models import train_tokenizer
from manyshot.pretraining.__main__ import main
from manyshot.pretraining.curriculum import PretrainingRecipe, StageOptions, load_pretraining
from manyshot.pretraining.mixed import make_rows, tokenizer_texts
from manyshot.pretraining.rows import PretrainingRows
from manyshot.pretraining.world import prose
from manyshot.seeds import derive, generator
from manyshot.tasks import Corpus, open_corpus, open_suite, save_task
from tests import tiny

STAGE = {"name": "x", "mix": {"adjacent": 1.0}, "budget_tokens": 32}


def no_corpus() -> Corpus | None:
    pytest.fail("the corpus was read")


# ---- rows


def test_every_row_is_the_corpus_or_a_document_of_that_number_as_its_own_draw_says():
    tokenizer, n_rows, seed = tiny.tokenizer(), 300, 11
    corpus = Corpus("c", [" ".join(tiny.WORDS * 9)])
    stage = StageOptions.model_validate({**STAGE, "text": 0.3})
    rows = make_rows(stage, tokenizer, n_rows, seed, lambda: corpus)
    documents = PretrainingRows(stage, tokenizer, n_rows, seed)
    text = EpisodeDataset(
        [],
        tokenizer,
        EpisodeOptions(budget_tokens=32),
        n_rows=n_rows,
        seed=derive(seed, "prose"),
        corpus=corpus,
        mix=MixOptions(text=1.0),
    )
    order = list(range(n_rows))
    random.Random(0).shuffle(order)
    n_text = 0
    for n in order:
        is_text = generator(seed, "which", n).random() < 0.3
        expected, row = (text if is_text else documents)[n], rows[n]
        n_text += is_text
        assert row["is_text"] == is_text
        for key in ("input_ids", "labels", "bounds"):
            np.testing.assert_array_equal(row[key], expected[key])
    assert 0.2 * n_rows < n_text < 0.4 * n_rows
    # rows of either kind stand in one batch
    assert len({frozenset(rows[n]) for n in order}) == 1
    assert len(rows) == n_rows
    with pytest.raises(IndexError):
        rows[n_rows]


def test_a_stage_without_a_share_of_text_reads_no_corpus():
    stage, tokenizer = StageOptions.model_validate(STAGE), tiny.tokenizer()
    rows, plain = make_rows(stage, tokenizer, 5, 3, no_corpus), PretrainingRows(stage, tokenizer, 5, 3)
    for n in range(5):
        np.testing.assert_array_equal(rows[n]["input_ids"], plain[n]["input_ids"])


# ---- the tokenizer's texts


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A corpus and a suite of two tasks to train on, one of them short, and one held out."""
    root = tmp_path_factory.mktemp("data")
    save_task(tiny.word_task("seen", n_train=30, n_test=4), root / "suite" / "seen")
    save_task(tiny.copy_task("copied", n_train=12, n_test=4), root / "suite" / "copied")
    save_task(tiny.word_task("held", n_train=30, n_test=4, seed=7), root / "suite" / "held")
    write_json(root / "suite" / "suite.json", {"train": ["seen", "copied"], "held_out": ["held"]})
    text = "\n\n".join(prose(random.Random(n), 6) for n in range(20))
    (root / "prose.txt").write_text(text, encoding="utf-8")
    return root


def recipe_of(place=None, **fields) -> PretrainingRecipe:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    args = {"max_steps": 2, "per_device_train_batch_size": 4, "save_steps": 2, "logging_steps": 1}
    stages = [
        {"name": name, "mix": {"plain": 1}, "budget_tokens": 32, "text": text, "training": {"args": args}}
        for name, text in (("first", 0.0), ("second", 0.5))
    ]
    value = {
        "model": {"vocabulary": 600, "config": {**sizes, "num_key_value_heads": 2, "head_dim": 16}},
        "tokenizer_documents": 100,
        "stages": stages,
    }
    if place is not None:
        value |= {"corpus": str(place / "prose.txt"), "suite": str(place / "suite")}
    return PretrainingRecipe.model_validate({**value, **fields})


def test_corpus_training_rows_and_documents_come_in_turn_until_each_ends(place):
    recipe = recipe_of(place)
    corpus = open_corpus(place / "prose.txt")
    seen, copied = open_suite(place / "suite").load(["seen", "copied"])

    def rendered(task, i):
        e, template = task.train[i], task.template
        return template.render_prompt(e.input) + template.render_answer(e.output) + template.stop

    rows = [rendered(task, i) for i in range(30) for task in (seen, copied) if i < len(task.train)]
    documents = list(tokenizer_texts(recipe_of(stages=recipe.stages[:1])))
    assert (len(corpus.documents), len(rows), len(documents)) == (20, 42, 100)
    expected = [part[i] for i in range(100) for part in (corpus.documents, rows, documents) if i < len(part)]
    assert list(tokenizer_texts(recipe, corpus)) == expected
    assert not [text for text in expected if rendered(open_suite(place / "suite").load(["held"])[0], 0) in text]


# ---- options and command


def vocabulary(texts) -> dict:
    return json.loads(train_tokenizer(texts, 600).backend_tokenizer.to_str())["model"]


def test_a_share_of_text_without_a_corpus_is_refused_by_the_stages_name(tmp_path, capsys):
    value = recipe_of(corpus="prose.txt").model_dump(mode="json")
    del value["corpus"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(value))
    with pytest.raises(RecipeError, match=r"recipe.yaml: stage second: text is 0.5, .* set corpus to a .txt file"):
        load_pretraining(tmp_path / "recipe.yaml")
    assert main(["train", str(tmp_path / "recipe.yaml"), str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_recipe_written_before_there_was_text_is_still_that_recipe(tmp_path):
    recipe = recipe_of(stages=recipe_of(corpus="x").stages[:1])
    value = recipe.model_dump(mode="json")
    del value["corpus"], value["suite"], value["stages"][0]["text"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(value))
    assert load_pretraining(tmp_path / "recipe.yaml") == recipe


def test_the_command_trains_two_stages_on_documents_and_text_and_then_has_nothing_left_to_do(
    place, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("manyshot.pretraining.__main__._short_probe", lambda model, tokenizer: "probed")
    # paths are from the current folder, wherever the recipe stands
    monkeypatch.chdir(place)
    recipe = recipe_of(corpus="prose.txt", suite="suite")
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    command = ["train", str(tmp_path / "recipe.yaml"), str(tmp_path / "out")]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out" / "stages" / "second")
    rows = [row for _, row in read_lines(tmp_path / "out" / "metrics.jsonl") if "loss" in row]
    assert [(row["stage"], row["step"]) for row in rows] == [("first", 1), ("first", 2), ("second", 1), ("second", 2)]
    timings = [row for _, row in read_lines(tmp_path / "out" / "timings.jsonl") if "seconds" in row]
    assert [row["stage"] for row in timings] == ["first", "second"]
    # its vocabulary is that of corpus, tasks and documents, and not of the documents alone
    found = json.loads((tmp_path / "out" / "stages" / "second" / "tokenizer.json").read_text())["model"]
    assert found == vocabulary(tokenizer_texts(recipe, open_corpus("prose.txt")))
    assert found != vocabulary(tokenizer_texts(recipe_of(stages=recipe.stages[:1])))

    # whose text is no longer needed
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    assert "step" not in capsys.readouterr().out
