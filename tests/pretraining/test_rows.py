import numpy as np
import pytest

from manyshot.models import train_tokenizer
from manyshot.objectives import weigh_row
from manyshot.pretraining.curriculum import KINDS_OF_DOCUMENT, OBJECTIVE, PretrainingRecipe, StageOptions
from manyshot.pretraining.rows import PretrainingRows, one_piece_words
from manyshot.pretraining.train import tokenizer_texts

RECALL = [kind for kind in KINDS_OF_DOCUMENT if "prose" not in kind]


@pytest.fixture(scope="module")
def tokenizer():
    recipe = PretrainingRecipe.model_validate({"model": {}, "stages": [{"name": "a", "mix": {"prose": 1}}]})
    return train_tokenizer((text for _, text in zip(range(400), tokenizer_texts(recipe), strict=False)), 512)


def rows_of(tokenizer, kind: str, **options) -> PretrainingRows:
    stage = StageOptions.model_validate({"name": "a", "mix": {kind: 1}, "budget_tokens": 160, **options})
    return PretrainingRows(stage, tokenizer, 20, seed=5)


@pytest.mark.parametrize("kind", KINDS_OF_DOCUMENT)
def test_a_row_depends_on_its_number_only(tokenizer, kind):
    forward, backward = rows_of(tokenizer, kind), rows_of(tokenizer, kind)
    later = [backward[n] for n in reversed(range(20))][::-1]
    for n in range(20):
        for key in ("input_ids", "labels", "bounds"):
            np.testing.assert_array_equal(forward[n][key], later[n][key])


@pytest.mark.parametrize("kind", RECALL)
def test_bounds_mark_exactly_the_tokens_of_known_answers(tokenizer, kind):
    rows = rows_of(tokenizer, kind)
    for n in range(20):
        row, document = rows[n], rows.document(n)
        shown = [tokenizer.decode(row["input_ids"][start:end]) for _, start, end in row["bounds"]]
        known = [e.answer + document.stop for e in document.examples if e.known]
        assert shown == known[: len(shown)]
        assert document.text.startswith(tokenizer.decode(row["input_ids"]))
        weighed = weigh_row(row["bounds"], len(row["input_ids"]), OBJECTIVE, is_text=row["is_text"])
        np.testing.assert_array_equal(weighed.weights > 0, row["labels"] != -100)


@pytest.mark.parametrize("kind", KINDS_OF_DOCUMENT)
def test_all_targets_means_every_token_but_the_first(tokenizer, kind):
    row = rows_of(tokenizer, kind, targets="all")[0]
    assert (row["labels"] != -100).tolist() == [False] + [True] * (len(row["input_ids"]) - 1)


@pytest.mark.parametrize("kind", ["adjacent", "prose"])
def test_rows_stay_within_their_budget(tokenizer, kind):
    assert max(len(rows_of(tokenizer, kind)[n]["input_ids"]) for n in range(20)) <= 160


def test_one_piece_words_are_one_token_behind_a_space(tokenizer):
    words = one_piece_words(tokenizer)
    assert len(words) > 20
    assert all(len(tokenizer(" " + word)["input_ids"]) == 1 for word in words)
