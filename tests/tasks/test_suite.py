"""Suites choose tasks by split, path and pattern, know each task's role, and refuse what does not fit together."""

import json

import pytest

from manyshot.errors import TaskError
from manyshot.tasks import load_tasks, open_suite
from tests.tasks.folders import folder, suite

SPLITS = {
    "train": ["nli/rte", "nli/cb", "qa/boolq"],
    "dev": ["qa/piqa"],
    "held_out": ["nli/wnli", "math/sums"],
    "near": ["qa/boolq2"],
    "general": ["chat"],
    "core": ["nli/wnli"],
}


@pytest.fixture
def some(tmp_path):
    return open_suite(suite(tmp_path, **SPLITS))


def refusal(path):
    with pytest.raises(TaskError) as caught:
        open_suite(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["train"], ["nli/rte", "nli/cb", "qa/boolq"]),
        (["dev", "train"], ["qa/piqa", "nli/rte", "nli/cb", "qa/boolq"]),
        (["core"], ["nli/wnli"]),
        (["nli/cb"], ["nli/cb"]),
        (["nli/*"], ["nli/rte", "nli/cb", "nli/wnli"]),
        (["qa/boolq?"], ["qa/boolq2"]),
        (["train", "nli/*"], ["nli/rte", "nli/cb", "qa/boolq", "nli/wnli"]),
        (["train", "!nli/*"], ["qa/boolq"]),
        (["nli/*", "!train"], ["nli/wnli"]),
        (["train", "!qa/boolq", "qa/*"], ["nli/rte", "nli/cb", "qa/boolq", "qa/piqa", "qa/boolq2"]),
        (["!train"], []),
        ([], []),
    ],
)
def test_selecting_reads_splits_paths_and_patterns_from_left_to_right(some, patterns, chosen):
    assert list(some.select(patterns)) == chosen


@pytest.mark.parametrize(
    ("wrong", "near"), [("heldout", "held_out"), ("nli/rts", "nli/rte"), ("!trian", "train"), ("NLI/rte", "nli/rte")]
)
def test_selecting_an_unknown_name_names_the_nearest_and_the_splits(some, wrong, near):
    with pytest.raises(TaskError) as caught:
        some.select([wrong])
    message = str(caught.value)
    assert message.startswith(str(some.root))
    assert f'"{wrong.removeprefix("!")}", did you mean "{near}"?' in message
    assert "train, dev, held_out, near, general, core" in message


def test_a_pattern_that_matches_nothing_is_refused(some):
    with pytest.raises(TaskError, match=r"zoo/\*"):
        some.select(["train", "zoo/*"])


@pytest.mark.parametrize(
    ("path", "role"),
    [("nli/cb", "seen"), ("qa/piqa", "dev"), ("nli/wnli", "held_out"), ("qa/boolq2", "near"), ("chat", "held_out")],
)
def test_a_task_has_the_role_of_its_split_and_counts_as_held_out_without_one(some, path, role):
    assert some.role(path) == role


def test_paths_holds_every_task_once(some):
    assert len(some.paths) == len(set(some.paths)) == 8


def test_a_task_is_read_once(some):
    assert some.load(["chat"])[0] is some.load(["nli/cb", "chat"])[1]


def test_opening_a_suite_reads_no_rows(tmp_path):
    root = suite(tmp_path, **SPLITS)
    for file in root.rglob("train.jsonl"):
        file.write_text("broken")
    assert open_suite(root).splits["dev"] == ("qa/piqa",)


def test_the_file_suite_json_itself_opens_the_suite(tmp_path):
    root = suite(tmp_path, **SPLITS)
    assert open_suite(root / "suite.json") == open_suite(root)


def test_one_task_folder_is_a_suite_of_one_training_task(tmp_path):
    opened = open_suite(folder(tmp_path / "food"))
    assert [task.name for task in opened.load(opened.select(["train"]))] == ["food"]


def test_a_folder_of_task_folders_is_a_suite_of_training_tasks(tmp_path):
    for name in ("b", "a/y", "a/x"):
        folder(tmp_path / name, name=name)
    assert open_suite(tmp_path).splits == {"train": ("a/x", "a/y", "b")}


def test_groups_of_shared_texts_are_read_and_are_no_split(tmp_path):
    opened = open_suite(suite(tmp_path, train=["a", "b"], share_texts=[["a", "b"]]))
    assert opened.share_texts == (("a", "b"),)
    assert list(opened.splits) == ["train"]


# ---- refusals


def test_two_tasks_of_one_name_in_a_suite_are_refused_by_both_places(tmp_path):
    folder(tmp_path / "a", name="food")
    folder(tmp_path / "b", name="food")
    opened = open_suite(tmp_path)
    with pytest.raises(TaskError) as caught:
        opened.load(opened.paths)
    assert str(caught.value) == (
        f'{tmp_path / "b"}: the name "food" is taken by {tmp_path / "a"}; give each task a name of its own'
    )


def test_two_tasks_of_one_name_in_two_folders_are_refused_by_both_places(tmp_path):
    places = [folder(tmp_path / one / "food") for one in ("x", "y")]
    with pytest.raises(TaskError) as caught:
        load_tasks(places)
    assert str(caught.value) == (
        f'{places[1]}: the name "food" is taken by {places[0]}; give each task a name of its own'
    )


def test_loading_several_folders_gives_the_tasks_of_all(tmp_path):
    folder(tmp_path / "x" / "one")
    folder(tmp_path / "x" / "two")
    places = [tmp_path / "x", folder(tmp_path / "three")]
    assert [task.name for task in load_tasks(places)] == ["one", "two", "three"]


@pytest.mark.parametrize(("first", "second"), [("train", "dev"), ("train", "held_out"), ("held_out", "near")])
def test_a_task_in_two_splits_is_refused_by_both_names(tmp_path, first, second):
    place = suite(tmp_path, **{first: ["a", "b"], second: ["b"]}) / "suite.json"
    assert refusal(tmp_path) == f'{place}: "b" is in both "{first}" and "{second}"; a task plays one part'


def test_a_selection_may_repeat_tasks_of_a_split(tmp_path):
    assert open_suite(suite(tmp_path, train=["a", "b"], small=["a"])).select(["small"]) == ("a",)


def test_a_suite_that_names_a_missing_folder_is_refused_by_split_and_path(tmp_path):
    place = suite(tmp_path, train=["a"]) / "suite.json"
    place.write_text(json.dumps({"train": ["a"], "dev": ["b"]}))
    assert refusal(tmp_path) == f"{place}: split \"dev\" names 'b', which is no task folder under {tmp_path}"


def test_a_suite_that_is_no_object_of_lists_is_refused(tmp_path):
    place = tmp_path / "suite.json"
    place.write_text('{"train": "a"}')
    assert refusal(tmp_path).startswith(f"{place}: must be an object of lists of task paths")


def test_a_broken_suite_file_is_refused_by_line(tmp_path):
    place = tmp_path / "suite.json"
    place.write_text('{"train":\n ["a",}')
    assert refusal(tmp_path).startswith(f"{place}:2: ")


@pytest.mark.parametrize("groups", [[["a", "zoo"]], ["a"], [["a", 3]]])
def test_a_group_of_shared_texts_must_name_tasks_of_the_suite(tmp_path, groups):
    # a misspelt path in a group would switch its leak check off in silence
    place = suite(tmp_path, train=["a"], dev=["b"], share_texts=groups) / "suite.json"
    message = refusal(tmp_path)
    assert message.startswith(str(place))
    assert "share_texts" in message


def test_a_missing_folder_is_refused(tmp_path):
    message = refusal(tmp_path / "zoo")
    assert message.startswith(f"{tmp_path / 'zoo'}: no such folder")
    assert "give" in message


def test_a_folder_without_tasks_is_refused(tmp_path):
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: no task folders below it")


def test_a_suite_of_conversations_shows_every_task_so_but_those_that_say_otherwise(tmp_path):
    folder(tmp_path / "plain")
    folder(tmp_path / "own", template={"chat": "user"})
    shown = {task.name: task.template.chat for task in open_suite(tmp_path, chat="system").load(["plain", "own"])}
    assert shown == {"plain": "system", "own": "user"}
    assert open_suite(tmp_path).load(["plain"])[0].template.chat is None
