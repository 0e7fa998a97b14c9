"""Metrics against examples worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyshot.tasks import METRICS
from manyshot.tasks.metrics import encode_labels, floor_score, macro_f1, score_cell, score_query


def cell(metric, predictions, targets):
    correct = [score_query(metric, p, t) for p, t in zip(predictions, targets, strict=True)]
    return score_cell(metric, predictions, targets, correct)


@pytest.mark.parametrize("metric", ["accuracy", "exact_match"])
@pytest.mark.parametrize(
    ("prediction", "target", "score"),
    [
        ("north", "north", 1),
        ("North", "north", 0),  # letters as they are
        (" east  side\n", "east side", 1),  # but spaces are spaces
        ("east side.", "east side", 0),
        ("", "north", 0),
    ],
)
def test_whole_answers_are_compared_letter_by_letter(metric, prediction, target, score):
    assert score_query(metric, prediction, target) == score


def test_accuracy_of_a_cell_is_the_share_of_right_answers():
    assert cell("accuracy", ["a", "b", "a", "a"], ["a", "b", "b", "c"]) == 0.5


def test_macro_f1_by_hand():
    """a: precision 2/3, recall 1, F1 4/5; b: 1/1, 1/2, 2/3; c: never right, 0."""
    assert cell("macro_f1", ["a", "a", "b", "a", "d"], ["a", "a", "b", "b", "c"]) == pytest.approx(
        (4 / 5 + 2 / 3 + 0 + 0) / 4  # d was predicted, so it occurs
    )


def test_a_label_that_does_not_occur_has_no_part_in_macro_f1():
    assert cell("macro_f1", ["a", "b"], ["a", "b"]) == 1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_macro_f1_is_the_mean_of_two_pr_over_p_plus_r(pairs):
    predictions, targets = (np.array(side) for side in zip(*pairs, strict=True))
    values = []
    for label in set(predictions.tolist()) | set(targets.tolist()):
        hits = int(((predictions == label) & (targets == label)).sum())
        precision = hits / max(1, int((predictions == label).sum()))
        recall = hits / max(1, int((targets == label).sum()))
        values.append(0.0 if hits == 0 else 2 * precision * recall / (precision + recall))
    assert macro_f1(predictions, targets) == pytest.approx(sum(values) / len(values))


def test_labels_become_numbers_that_agree_between_predictions_and_targets():
    predicted, targets = encode_labels(["x", "y", "z"], ["y", "y", "x"])
    assert (predicted == targets).tolist() == [False, True, False]
    assert predicted[0] == targets[2]


@pytest.mark.parametrize(
    ("prediction", "target", "score"),
    [
        ("The cat, sat.", "a cat sat", 1),  # articles, case and punctuation do not count
        ("cat sat down", "cat sat", 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        ("cat cat", "cat", 2 * (1 / 2) * 1 / (1 / 2 + 1)),  # a word counts as often as it stands there
        ("dog", "cat", 0),
        ("", "cat", 0),
        ("the", "an", 1),  # both empty once normalised
        ("U.S.", "US", 1),
        ("theatre", "atre", 0),  # an article is a word of its own
    ],
)
def test_f1_is_squads(prediction, target, score):
    assert score_query("f1", prediction, target) == pytest.approx(score)


@pytest.mark.parametrize(
    ("prediction", "target", "score"),
    [
        # longest common subsequence "the cat on": 3 of 4 and 3 of 5 words
        ("the cat sat on", "the cat was lying on", 2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5)),
        ("on cat the", "the cat on", 1 / 3),  # order counts
        ("The CAT", "the cat", 1),
        ("dog", "cat", 0),
        ("", "cat", 0),
    ],
)
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(prediction, target, score):
    assert score_query("rouge_l", prediction, target) == pytest.approx(score)


@pytest.mark.parametrize(
    ("prediction", "target", "same"),
    [
        ("42", "42", True),
        ("so the answer is 42.", "42", True),
        ("6 * 7 = 42", "42", True),  # the last number counts
        ("1,234,567", "1234567", True),
        ("$1,234.50", "1234.5", True),
        ("-5", "5", False),
        ("-5", "-5.0", True),
        ("+5", "5", True),
        ("3.14159", "3.1416", False),
        ("0.3333333", "0.33333334", True),  # one part in a million
        ("1000001", "1000000", True),
        ("1000003", "1000000", False),
        ("no number", "5", False),
        ("5", "no number", False),
        ("no number", "none either", False),
        ("12, 13,", "13", True),
        (".5", "0.5", True),
        (".5", "5", False),
    ],
)
def test_numeric_compares_the_last_numbers(prediction, target, same):
    assert score_query("numeric", prediction, target) == float(same)


@pytest.mark.parametrize("metric", METRICS)
def test_a_right_answer_scores_one_and_a_wrong_one_zero(metric):
    assert score_query(metric, "7 lions", "7 lions") == 1
    assert score_query(metric, "8 tigers", "7 lions") == 0


def test_the_floor_of_accuracy_is_the_share_of_the_most_frequent_label():
    assert floor_score("accuracy", ("a", "b", "c"), ["a", "b", "b", "c"]) == 0.5


def test_the_floor_of_macro_f1_is_that_of_always_answering_one_label():
    """b: precision 1/2, recall 1, F1 2/3; a and c: 0."""
    assert floor_score("macro_f1", ("a", "b", "c"), ["a", "b", "b", "c"]) == pytest.approx((2 / 3) / 3)


def test_free_text_has_no_floor():
    assert floor_score("exact_match", None, ["a", "a"]) == 0
