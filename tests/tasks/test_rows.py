"""Conversations become examples: the last answer is the output, what precedes it the input."""

import json

import pytest

from manyshot.errors import TaskError
from manyshot.tasks import Example, load_task
from tests.tasks.folders import folder


def turn(role, content):
    return {"role": role, "content": content}


def load(tmp_path, *messages):
    rows = [{"messages": list(one)} for one in messages]
    return load_task(folder(tmp_path / "t", rows, metric="exact_match", columns={"messages": "messages"})).train


def test_a_question_and_its_answer_are_input_and_output(tmp_path):
    assert load(tmp_path, [turn("user", "2 + 2"), turn("assistant", "4")]) == [Example("2 + 2", "4")]


def test_all_that_precedes_the_last_answer_is_the_input_each_turn_under_its_role(tmp_path):
    turns = [turn("system", "Add."), turn("user", "1 + 1"), turn("assistant", "2"), turn("user", "2 + 2")]
    (example,) = load(tmp_path, [*turns, turn("assistant", "4")])
    assert example == Example("System: Add.\nUser: 1 + 1\nAssistant: 2\nUser: 2 + 2", "4")


def test_what_follows_the_last_answer_is_no_part_of_the_example(tmp_path):
    talk = [turn("user", "2 + 2"), turn("assistant", "4"), turn("user", "thanks")]
    assert load(tmp_path, talk) == [Example("2 + 2", "4")]


def test_text_parts_of_a_turn_are_joined(tmp_path):
    parts = [{"type": "text", "text": "2 + "}, {"type": "text", "text": "2"}]
    assert load(tmp_path, [turn("user", parts), turn("assistant", "4")]) == [Example("2 + 2", "4")]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([turn("user", "2 + 2")], "no assistant turn"),
        ([turn("assistant", "4")], "no assistant turn"),
        ("2 + 2", "a list of objects"),
        ([turn("user", "2 + 2"), turn("assistant", None)], "only text"),
        ([turn("user", [{"type": "image"}]), turn("assistant", "a cat")], "only text"),
        ([turn("user", "2 + 2"), turn("assistant", " ")], "is empty"),
        (
            [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
            "turns have from, value, and no role and no content",
        ),
        ([{"role": "user", "text": "a"}, {"role": "assistant", "text": "b"}], "turns have role, text, and no content"),
    ],
)
def test_a_conversation_that_is_no_example_is_refused_by_file_and_line(tmp_path, messages, says):
    fine = [turn("user", "2 + 2"), turn("assistant", "4")]
    with pytest.raises(TaskError, match=says) as caught:
        load(tmp_path, fine, messages)
    assert "train.jsonl:2:" in str(caught.value)


def test_messages_beside_other_columns_are_refused(tmp_path):
    place = folder(tmp_path / "t", columns={"messages": "messages", "output": "label"})
    with pytest.raises(TaskError, match="both messages and"):
        load_task(place)


def test_rows_of_messages_are_read_as_the_pairs_they_stand_for(tmp_path):
    pairs = [("a red apple", "fruit"), ("a leek", "vegetable")]
    rows = [json.loads(json.dumps({"talk": [turn("user", a), turn("assistant", b)]})) for a, b in pairs]
    a = folder(tmp_path / "a", rows, name="t", columns={"messages": "talk"})
    assert load_task(a) == load_task(folder(tmp_path / "b", pairs, name="t"))
