"""Texts that a training task shares with a held-out one are found, counted, named, and refused or dropped."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import LeakError
from manyshot.tasks import Example, Task, drop_leaks, find_leaks, open_suite, refuse_leaks

NINE = "the old grey horse sleeps under nine tall trees"


def task(name: str, inputs: list[str], test: tuple[str, ...] = (), output: str = "yes") -> Task:
    return Task(name, "f", "", "f1", None, [Example(t, output) for t in inputs], [Example(t, output) for t in test])


def own_texts(name: str, n: int) -> list[str]:
    """Texts of twelve words that no other task has."""
    return [" ".join(f"{name}{i}x{j}" for j in range(12)) for i in range(n)]


def found(train: Task, held_out: Task, groups=()) -> dict[str, tuple[int, tuple[int, ...]]]:
    return {leak.kind: (leak.count, leak.rows) for leak in find_leaks([train], [held_out], groups)}


def test_tasks_with_texts_of_their_own_share_nothing():
    assert find_leaks([task("a", own_texts("a", 5))], [task("b", own_texts("b", 5))]) == []


def test_no_tasks_share_nothing():
    assert find_leaks([], []) == []
    assert find_leaks([task("a", own_texts("a", 2))], []) == []


def test_tasks_of_one_group_leak_whatever_their_texts():
    groups = [("x", "y"), ("a", "b")]
    assert list(found(task("a", ["one"]), task("b", ["two"]), groups)) == ["group of tasks made from the same texts"]
    assert found(task("a", ["one"]), task("c", ["two"]), groups) == {}


def test_the_same_pair_is_found_whatever_its_spaces_and_capitals():
    a = task("a", ["one two", "Sleeps   under a TREE", "three four five"], test=("sleeps under a tree",))
    b = task("b", ["sleeps under a tree"])
    assert found(a, b) == {"examples alike": (2, (1, 3))}


def test_the_same_input_with_another_output_is_no_pair():
    assert found(task("a", ["sleeps under a tree"]), task("b", ["sleeps under a tree"], output="no")) == {}


@pytest.mark.parametrize("text", ["horse", "grey horse"])
def test_one_or_two_words_are_no_text(text):
    assert found(task("a", [text]), task("b", [text])) == {}


def test_three_words_are_a_text():
    assert found(task("a", ["old grey horse"]), task("b", ["old grey horse"])) == {"examples alike": (1, (0,))}


def test_a_run_of_eight_words_is_found_across_capitals_and_punctuation():
    a = task("a", [*own_texts("a", 3), f"Look: {NINE.title().replace(' ', ', ')}!"])
    b = task("b", [*own_texts("b", 2), f"and so {NINE} every day"])
    # nine words alike are two runs of eight
    assert found(a, b) == {"runs of 8 words alike": (2, (3,))}


def test_a_run_of_seven_words_is_not_found():
    seven = " ".join(NINE.split()[:7])
    assert found(task("a", [f"a1 a2 {seven} a3"]), task("b", [f"b1 b2 {seven} b3"])) == {}


def test_a_run_does_not_reach_over_the_end_of_an_example():
    words = NINE.split()
    a = task("a", [" ".join(words[:5]), " ".join(words[5:])], output="")
    assert found(a, task("b", [NINE])) == {}


def test_a_run_counts_in_queries_and_outputs_too():
    a = Task("a", "f", "", "f1", None, [Example("q one", "x")], [Example("q two", f"it says {NINE}")])
    b = Task("b", "f", "", "f1", None, [Example("w one", "x")], [Example(f"then {NINE}", "x")])
    assert found(a, b)["runs of 8 words alike"][1] == (1,)


def test_words_that_most_examples_of_a_task_share_are_its_boilerplate():
    a = task("a", [f"{NINE} a{i}" for i in range(10)])
    b = task("b", [f"{NINE} b"])
    assert found(a, b) == {}
    assert found(b, a) == {}


def test_words_that_two_examples_share_are_no_boilerplate():
    a = task("a", [f"{NINE} a{i}" for i in range(2)])
    assert found(a, task("b", [f"{NINE} b"])) == {"runs of 8 words alike": (2, (0, 1))}


def test_every_pair_of_tasks_is_named_most_shared_first():
    train = [task("a", [f"{NINE} a"]), task("b", [f"{NINE} {own_texts('s', 1)[0]} b"])]
    held = [task("c", [f"{NINE} {own_texts('s', 1)[0]} c"]), task("d", own_texts("d", 3))]
    assert [(leak.train, leak.held_out) for leak in find_leaks(train, held)] == [("b", "c"), ("a", "c")]


def test_a_leak_quotes_a_run_that_both_texts_hold():
    a = task("a", [f"First words here. {NINE.title()}, and on"])
    leak = find_leaks([a], [task("b", [f"{NINE} b"])])[0]
    words = leak.sample.casefold().split()
    assert len(words) == 8
    assert " ".join(words) in NINE
    assert leak.sample in str(leak)


# ---- what is done about them


def test_refusing_lists_pairs_kinds_and_counts_and_says_what_to_do():
    leaks = find_leaks(
        [task("a", [f"{NINE} a"]), task("b", ["one two three"])], [task("c", [f"{NINE} c", "one two three"])]
    )
    with pytest.raises(LeakError) as caught:
        refuse_leaks(leaks)
    message = str(caught.value)
    assert message.startswith("2 pairs of training and held-out tasks share texts: ")
    assert "a ~ c: 2 runs of 8 words alike" in message
    assert "b ~ c: 1 examples alike" in message
    assert "suite.leaks" in message


def test_refusing_many_shows_eight_and_counts_the_rest():
    leaks = find_leaks([task(f"t{i}", ["one two three"]) for i in range(10)], [task("c", ["one two three"])])
    with pytest.raises(LeakError, match=r"^10 pairs.*and 2 more"):
        refuse_leaks(leaks)


def test_one_pair_of_tasks_with_two_kinds_of_leaks_counts_once():
    leaks = find_leaks([task("a", [f"{NINE} a"])], [task("b", [f"{NINE} a"])])
    assert {leak.kind for leak in leaks} == {"examples alike", "runs of 8 words alike"}
    with pytest.raises(LeakError, match=r"^1 pairs? "):
        refuse_leaks(leaks)


def test_refusing_nothing_is_silent():
    refuse_leaks([])


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 9), min_size=1, max_size=2), st.integers(3, 10))
def test_dropping_leaves_out_exactly_the_rows_that_share_texts(touched, n_train):
    inputs = [f"{text} {NINE}" if i in touched else text for i, text in enumerate(own_texts("a", 10))]
    a = task("a", inputs[:n_train], test=tuple(inputs[n_train:]))
    held = [task("b", [f"b {NINE}"])]
    (kept,) = drop_leaks([a], find_leaks([a], held))
    assert kept.train == [e for e in a.train if NINE not in e.input]
    assert kept.test == [e for e in a.test if NINE not in e.input]


def test_dropping_leaves_other_tasks_as_they_are():
    a, b = task("a", [f"{NINE} a", *own_texts("a", 2)]), task("b", own_texts("b", 2))
    kept = drop_leaks([a, b], find_leaks([a, b], [task("c", [NINE])]))
    assert kept[1] is b
    assert kept[0] == replace(a, train=a.train[1:])


def test_a_group_of_shared_texts_is_not_mended_by_dropping():
    a = task("a", own_texts("a", 2))
    assert drop_leaks([a], find_leaks([a], [task("b", own_texts("b", 2))], [("a", "b")])) == [a]


# ---- the real suite


def test_the_acceptability_sentences_in_a_task_about_first_letters_are_found(shared):
    # ii_orthography_starts_with asks for the words of a sentence with some first letter; its sentences are CoLA's
    suite = open_suite(shared / "data")
    held = suite.load(["classification/cola", "classification/trec", "qa/web_questions"])
    train = suite.load(
        [p for p in suite.select(["train"]) if re.search("instruction_induction|clinc150|snips|nli/", p)]
    )
    leaks = find_leaks(train, held)
    assert (leaks[0].train, leaks[0].held_out) == ("ii_orthography_starts_with", "cola")
    assert leaks[0].count > 500


@pytest.mark.slow
def test_the_whole_real_suite_is_compared_and_its_worst_pair_named_first(shared):
    suite = open_suite(shared / "data")
    train, held = (suite.load(suite.select(splits)) for splits in (["train"], ["dev", "held_out"]))
    with pytest.raises(LeakError, match=r"share texts: ii_orthography_starts_with ~ cola: \d+ runs of 8 words"):
        refuse_leaks(find_leaks(train, held))
