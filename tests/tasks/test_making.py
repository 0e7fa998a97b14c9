"""Tables become tasks: labels are found, no input stands on both sides of the split, hub sources keep their names."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Columns, Example
from manyshot.tasks.making import (
    assemble_task,
    find_labels,
    find_metric,
    open_splits,
    sort_rows,
    split_examples,
    without_inputs_of,
)

EXAMPLES = st.lists(
    st.builds(Example, st.sampled_from([*"abcdefgh", "A ", "b  ", "c\td", "c D"]), st.sampled_from("xyz")), max_size=30
)


def key(example):
    return " ".join(example.input.lower().split())


@given(EXAMPLES, st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.integers(0, 5))
def test_a_split_loses_nothing_shares_no_input_and_keeps_every_label_in_train(examples, share, seed):
    train, test = split_examples(examples, share, seed)
    assert Counter(train + test) == Counter(examples)
    assert not {key(e) for e in train} & {key(e) for e in test}
    assert len(test) <= round(share * len(examples))
    n = Counter(e.output for e in examples)
    assert all(e.output in {t.output for t in train} for e in test if n[e.output] > 1)


@given(EXAMPLES, st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 5))
def test_no_label_is_left_without_training_rows_not_even_one_with_a_single_row(examples, share, seed):
    train, test = split_examples(examples, share, seed, closed=True)
    assert {e.output for e in test} <= {e.output for e in train}
    assert Counter(train + test) == Counter(examples)


def test_a_split_of_distinct_inputs_has_the_share_asked_for_and_depends_on_the_seed():
    examples = [Example(str(i), "ab"[i % 2]) for i in range(200)]
    tests = [split_examples(examples, 0.2, seed)[1] for seed in (0, 1, 0)]
    assert len(tests[0]) == 40
    assert tests[0] == tests[2] != tests[1]


def test_training_rows_with_a_query_s_input_are_left_out():
    train = [Example("A  pear", "x"), Example("a leek", "y")]
    assert without_inputs_of(train, [Example("a pear", "z")]) == train[1:]


def test_labels_are_the_distinct_outputs_in_order():
    assert find_labels(["b", "a", "b", "a"], None, "auto") == ("a", "b")
    assert find_labels(["b", "a", "b", "a"], None, "none") is None


def test_names_of_a_class_label_keep_their_order_and_those_without_rows():
    assert find_labels(["b", "a", "b"], ["b", "c", "a"], "auto") == ("b", "c", "a")


def test_outputs_that_hardly_recur_are_no_labels():
    with pytest.raises(TaskError, match=r"3 different outputs in 4 rows .* --labels none"):
        find_labels(["a", "b", "c", "c"], None, "auto")


@pytest.mark.parametrize(
    ("outputs", "labels", "metric"),
    [
        (["a", "b"], ("a", "b"), "accuracy"),
        (["1", "2.5", "1,000"], None, "numeric"),
        (["Paris", "New York"], None, "exact_match"),
        (["a long answer of seven words here"], None, "rouge_l"),
        (["6 + 6 is 12\nand 6 more\n#### 18", "#### -1,000.5"], None, "numeric"),
        (["So the answer is 7.", "The answer is: $12.50"], None, "numeric"),
        (["2 + 3 = 5", "which makes it x = 2 "], None, "numeric"),
        (["#### 18", "So the answer is 7 if all goes well"], None, "rouge_l"),
        (["it holds where x == 5", "and where we have x >= 6"], None, "rouge_l"),
        (["nan", "1"], None, "exact_match"),
        (["inf", "-Infinity"], None, "exact_match"),
        (["1e999", "1_000"], None, "exact_match"),
    ],
)
def test_the_metric_follows_from_the_outputs(outputs, labels, metric):
    assert find_metric(outputs, labels) == metric


@pytest.mark.parametrize("answer", ["a\n###\nb", "a\nb\n###", "a\n###\n===\n###\nb"])
def test_answers_that_hold_a_stop_text_or_end_as_it_begins_get_another(answer):
    task = assemble_task("t", [Example("a", answer), Example("b", "c\nd\n==="), Example("c", "d")], [], None)
    stop = task.template.stop
    for example in task.train:
        shown = task.template.render_answer(example.output)
        assert (shown + stop + "more").split(stop)[0] == shown
        assert task.template.parse_answer(shown + stop + "more") == example.output


# ---- data sets, local ones: the same calls that the Hub gets


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A folder with a train and a test parquet file whose labels are integers with names."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "n": datasets.Value("int64"),
        }
    )
    made = {}
    for split, n in (("train", 6), ("test", 3)):
        data = {"text": [f"{split} {i}" for i in range(n)], "label": [i % 2 for i in range(n)], "n": list(range(n))}
        made[split] = datasets.Dataset.from_dict(data, features=features)
        (tmp_path / "data").mkdir(exist_ok=True)
        made[split].to_parquet(tmp_path / "data" / f"{split}.parquet")
    datasets.DatasetDict(made).save_to_disk(tmp_path / "disk")
    return tmp_path


@pytest.mark.parametrize("source", ["hub:{}/data", "{}/data", "hub:{}/disk", "{}/disk"])
def test_a_data_set_has_its_splits_and_the_names_of_its_labels(saved, source):
    splits = open_splits(source.format(saved))
    assert set(splits) == {"train", "test"}
    examples, faults = sort_rows(splits["test"], Columns("text", "label"))
    assert examples == [Example("test 0", "neg"), Example("test 1", "pos"), Example("test 2", "neg")]
    assert faults == []
    assert splits["train"].label_names == {"label": ("neg", "pos")}


def test_numbers_of_a_data_set_are_taken_as_text(saved):
    examples, _ = sort_rows(open_splits(f"hub:{saved}/data")["test"], Columns("text", "n"))
    assert [e.output for e in examples] == ["0", "1", "2"]


def test_a_column_that_is_not_there_is_named_with_those_that_are(saved):
    with pytest.raises(TaskError, match=r'no column "labels", did you mean "label"\?; columns here are text, label, n'):
        sort_rows(open_splits(f"hub:{saved}/data")["train"], Columns("text", "labels"))


def test_a_data_set_that_is_nowhere_is_refused_in_one_line(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(TaskError, match="hub:nobody/nothing: cannot be loaded") as caught:
        open_splits("hub:nobody/nothing")
    assert "\n" not in str(caught.value)
