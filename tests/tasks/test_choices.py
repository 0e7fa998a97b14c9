"""Multiple choice: choices stand in the input, the answer is the letter of the one that an index, letter, label or text means."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Example, load_task
from manyshot.tasks.choices import LETTERS, answer_letter, letters_shown, read_choices
from tests.tasks import test_lazy_rows as lazy
from tests.tasks.folders import folder

PLACES = ["rome", "oslo", "lima"]
ARC = {"text": PLACES, "label": ["1", "2", "3"]}
COLUMNS = {"input": "question", "output": "answer", "choices": "choices"}
WORD = st.text("abcdefgh ", min_size=2).filter(lambda text: len(text.split()) > 0 and len(text.strip()) > 1)


def load(place, *rows, **fields):
    made = [{"question": "norway?", "choices": choices, "answer": answer} for choices, answer in rows]
    return load_task(folder(place, made, columns=COLUMNS, **fields)).train


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        (PLACES, 1),
        (PLACES, "1"),
        (PLACES, "B"),
        (PLACES, " oslo "),
        (ARC, "2"),
        (ARC, "oslo"),
        (ARC | {"label": ["x", "y", "z"]}, 1),
    ],
)
def test_an_index_a_letter_a_label_and_a_text_mean_the_same_choice(tmp_path, choices, answer):
    (example,) = load(tmp_path / "t", (choices, answer), labels=["A", "B", "C"])
    assert example == Example("norway?\n(A) rome\n(B) oslo\n(C) lima", "B")


@given(st.lists(WORD, min_size=2, max_size=26, unique_by=lambda text: " ".join(text.split())), st.data())
def test_the_line_of_the_answer_s_letter_is_the_right_choice(texts, data):
    right = data.draw(st.sampled_from(range(len(texts))))
    choices = read_choices("t:1", "choices", texts)
    lines = choices.render("q").splitlines()[1:]
    for answer in (right, str(right), LETTERS[right], texts[right]):
        letter = answer_letter("t:1", "answer", answer, choices)
        assert [line for line in lines if line.startswith(f"({letter}) ")] == [
            f"({letter}) {' '.join(texts[right].split())}"
        ]


@pytest.mark.parametrize(
    ("choices", "answer", "says"),
    [
        (PLACES, 3, "is 3, which is none of its 3 choices"),
        (PLACES, -1, "is -1, which is none"),
        (PLACES, "D", "is 'D', which is none"),
        (PLACES, True, "is True, which is none"),
        (PLACES, 1.0, "is 1.0, which is none"),
        (ARC, "4", "one of the labels 1, 2, 3"),
        (["B", "A"], "A", r"may mean \(A\) B or \(B\) A"),
        (["2", "1", "0"], "2", r"may mean \(A\) 2 or \(C\) 0"),
        (["x", "x"], "x", "may mean"),
        (ARC, 1, r"may mean \(A\) rome or \(B\) oslo"),
        ("rome, oslo", 1, "a list of 2 to 26 texts"),
        (["rome"], 0, "holds 1 texts"),
        (["rome", " "], 0, "1 of them empty"),
        (["a"] * 27, 0, "holds 27 texts"),
        ([1, 2], 0, "a list of 2 to 26 texts"),
        ({"text": PLACES, "label": ["1", "1", "2"]}, 0, "give each text one of its own"),
        (None, 0, 'field "choices" is missing'),
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_what_names_no_choice_is_refused_by_file_and_line(tmp_path, monkeypatch, choices, answer, says, large):
    rows = [{"question": "q", "choices": c, "answer": a} for c, a in [(PLACES, 0), (choices, answer)]]
    place = folder(tmp_path / "t", rows, columns=COLUMNS)
    with pytest.raises(TaskError, match=says) as caught:
        list(lazy.lazily(place, monkeypatch).train) if large else load_task(place)
    assert str(caught.value).startswith(f"{place / 'train.jsonl'}:2: ")
    assert "\n" not in str(caught.value)


def test_an_index_that_is_a_number_is_never_taken_for_a_text(tmp_path):
    assert load(tmp_path / "t", (["4", "1", "3", "2"], 3))[0].output == "D"


def test_a_choice_of_several_lines_is_one_line(tmp_path):
    assert load(tmp_path / "t", (["a\nb", "c"], 0))[0].input == "norway?\n(A) a b\n(B) c"


def test_letters_are_those_shown_also_where_they_are_never_right(tmp_path):
    examples = load(tmp_path / "t", (PLACES, 0), (PLACES[:2], 1), ([*PLACES, "(Z) bonn"], 0))
    assert letters_shown(examples) == ("A", "B", "C", "D")
    shown = {match for e in examples for match in re.findall(r"^\((.)\)", e.input, re.MULTILINE)}
    assert shown == set(letters_shown(examples))
