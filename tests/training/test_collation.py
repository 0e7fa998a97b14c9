"""Rows become batches: bounds or labels say which tokens are answers, and padding weighs nothing."""

import numpy as np
import pytest

from manyshot.objectives import ObjectiveOptions
from manyshot.training import EpisodeCollator
from manyshot.training.collation import bounds_of_labels, bucket_name, shot_bucket
from tests.training.small import rows

OBJECTIVE = ObjectiveOptions(averaging="answer")


def plain_row(labels):
    labels = np.array(labels)
    return {"input_ids": np.arange(10, 10 + len(labels)), "labels": labels}


def test_every_run_of_labels_is_an_answer():
    off = -100
    batch = EpisodeCollator(OBJECTIVE)([plain_row([off, off, 12, 13, off, 15, off, off, 18, 19, 20])])
    weights = batch["loss_weights"][0, :11].tolist()
    assert weights == pytest.approx([0, 0, 1 / 2, 1 / 2, 0, 1, 0, 0, 1 / 3, 1 / 3, 1 / 3])
    assert batch["n_answers"].tolist() == [3]
    assert batch["denominator"].tolist() == [3]


def test_runs_of_labels_are_bounded_by_the_answers_before_them():
    labels = np.array([-100, 5, -100, -100, 6, 7])
    assert bounds_of_labels(labels).tolist() == [[0, 1, 2], [2, 4, 6]]


def test_a_row_of_plain_labels_weighs_like_the_row_with_bounds():
    data = rows(5)
    for n in range(5):
        row = data[n]
        plain = {key: row[key] for key in ("input_ids", "labels", "task")}
        for key, value in EpisodeCollator(OBJECTIVE)([row]).items():
            assert value.equal(EpisodeCollator(OBJECTIVE)([plain])[key]), key


def test_lists_are_rows_too():
    batch = EpisodeCollator(OBJECTIVE)([{"input_ids": [4, 5, 6], "labels": [-100, -100, 6]}])
    assert batch["loss_weights"][:, :3].tolist() == [[0, 0, 1]]


def test_padding_stands_on_the_right_and_weighs_nothing():
    batch = EpisodeCollator(OBJECTIVE, pad_id=7, pad_to_multiple_of=1)(
        [plain_row([-100, 11]), plain_row([-100, -100, 12, -100, 14])]
    )
    assert batch["input_ids"][0].tolist() == [10, 11, 7, 7, 7]
    assert batch["loss_weights"][0].tolist() == [0, 1, 0, 0, 0]
    assert batch["shot_buckets"][0].tolist() == [-1, 0, -1, -1, -1]
    assert batch["n_tokens"].tolist() == [2, 5]


def test_the_first_token_of_a_row_is_never_a_target():
    batch = EpisodeCollator(ObjectiveOptions(averaging="token"))([plain_row([10, 11, 12])])
    assert batch["loss_weights"][:, :3].tolist() == [[0, 1, 1]]
    assert batch["denominator"].tolist() == [2]


def test_a_batch_is_as_wide_as_a_multiple_so_that_few_shapes_occur():
    labels = [-100, 1]
    for n, width in ((2, 16), (16, 16), (17, 32)):
        batch = EpisodeCollator(OBJECTIVE)([plain_row(labels * (n // 2) + [-100] * (n % 2))])
        assert batch["input_ids"].shape == (1, width)
        assert batch["n_tokens"].tolist() == [n]


def test_shot_buckets_double():
    names = [bucket_name(int(b)) for b in shot_bucket(np.array([0, 1, 2, 3, 4, 7, 8, 15, 16]))]
    assert names == ["0", "1", "2-3", "2-3", "4-7", "4-7", "8-15", "8-15", "16-31"]


def test_targets_of_plain_text_have_no_shots():
    row = {"input_ids": np.arange(4), "bounds": np.array([[0, 1, 4]]), "is_text": True}
    assert EpisodeCollator(OBJECTIVE)([row])["shot_buckets"].unique().tolist() == [-1]


def test_regrouped_batches_hold_the_same_rows_with_the_longest_together():
    objective = ObjectiveOptions.model_validate({"preservation": {"kl_input": 1.0, "few_shot_aux": True}})
    collator = EpisodeCollator(objective, pad_id=7, pad_to_multiple_of=4)
    lengths = [3, 14, 6, 13, 2]
    made = [plain_row([-100] + [10 * n + k for k in range(1, n)]) for n in lengths]
    batches = [collator(made[:2]), collator(made[2:4]), collator(made[4:])]
    expected = [collator([made[i] for i in group]) for group in ((1, 3), (2, 0), (4,))]
    found = collator.regroup(batches)
    assert [batch["input_ids"].shape for batch in found] == [(2, 16), (2, 8), (1, 4)]
    for batch, wanted in zip(found, expected, strict=True):
        assert batch.keys() == wanted.keys()
        for key, value in wanted.items():
            assert batch[key].equal(value), key


def test_rows_of_one_length_stay_where_they_are():
    collator = EpisodeCollator(OBJECTIVE)
    batches = [collator([plain_row([-100, 11, 12])]), collator([plain_row([-100, 13, 14])])]
    assert all(a is b for a, b in zip(collator.regroup(batches), batches, strict=True))
