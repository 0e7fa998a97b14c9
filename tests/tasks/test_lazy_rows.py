"""A large file read row by row gives what reading it whole gives: rows, template, leaks, and faults by file and line."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Task, Template, drop_leaks, find_leaks, lazy_rows, load_task, save_task
from manyshot.tasks import folder as folders
from manyshot.tasks.lazy_rows import LazyRows
from tests.tasks.folders import ROWS, folder, lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
SPACE = st.sampled_from(["", "\n", " \t\n", "\r\n", "\u00a0\n", "\n\n"])


def lazily(place: Path, monkeypatch: pytest.MonkeyPatch, **options) -> Task:
    """Load a small folder as if its files were large."""
    with monkeypatch.context() as patched:
        patched.setattr(folders, "LAZY_BYTES", 0)
        return load_task(place, **options)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, SPACE, st.booleans()), min_size=1, max_size=12),
    head=st.sampled_from([b"", b"\xef\xbb\xbf", b"\n"]),
    block=st.integers(1, 200),
    whole=st.booleans(),
)
def test_rows_read_one_by_one_are_those_of_the_file_read_whole(tmp_path_factory, rows, head, block, whole):
    text = "".join(
        json.dumps({"input": a, "output": b}, ensure_ascii=escaped) + "\n" + gap for a, b, gap, escaped in rows
    )
    place = folder(tmp_path_factory.mktemp("t"), head + text.encode()[: None if whole else -1])
    expected = load_task(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(folders, "LAZY_BYTES", 0)
        # blocks of a few bytes put every line end on a seam now and then
        patched.setattr(lazy_rows, "_BLOCK_BYTES", block)
        task = load_task(place)
    assert isinstance(task.train, LazyRows)
    assert list(task.train) == expected.train
    assert [task.train[i] for i in range(-len(rows), len(rows))] == [*expected.train, *expected.train]
    assert task.train[1:7:2] == expected.train[1:7:2]
    assert task.train[::-1] == expected.train[::-1]
    assert task == expected
    assert task.content_hash() == expected.content_hash()


def test_only_a_large_file_is_read_row_by_row(tmp_path):
    small, large = folder(tmp_path / "s"), folder(tmp_path / "l", [("word " * 2_000_000, "x"), ("b", "y")] * 2)
    assert isinstance(load_task(small).train, list)
    assert isinstance(load_task(large).train, LazyRows)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ('{"input": "a"}', 'field "output" is missing'),
        ('{"input": "a", "output": ', "not valid JSON"),
        ("[1, 2]", "every line must be an object"),
        ("x", "not valid JSON"),
        ('{"input": "a", "output": " "}', "is empty"),
        ('{"input": "a", "output": "metal"}', 'output "metal" is not among the 2 labels'),
        ('{"input": "\\ud83d", "output": "fruit"}', "surrogate"),
        (b'{"input": "\xe4", "output": "fruit"}', "UTF-8"),
        (b'\xef\xbb\xbf{"input": "a", "output": "fruit"}', "not valid JSON"),
    ],
)
def test_a_malformed_row_is_named_as_it_is_in_a_file_read_whole(tmp_path, monkeypatch, bad, says):
    content = ("\n" + lines(ROWS)).encode() + (bad if isinstance(bad, bytes) else bad.encode()) + b"\n"
    place = folder(tmp_path / "t", content, labels=["fruit", "vegetable"])
    with pytest.raises(TaskError) as whole:
        load_task(place)
    task = lazily(place, monkeypatch)
    assert task.train[2].input == "a ripe pear"
    with pytest.raises(TaskError) as one:
        task.train[3]
    with pytest.raises(TaskError) as all_of_them:
        list(task.train)
    assert str(one.value) == str(all_of_them.value) == str(whole.value)
    assert str(one.value).startswith(f"{place}/train.jsonl:5: ")
    assert says in str(one.value)


@pytest.mark.parametrize("labels", [["fruit", "metal"], None])
def test_a_stop_text_inside_an_answer_is_named_when_the_row_is_read(tmp_path, monkeypatch, labels):
    rows = [*ROWS, ("b", "fr||uit")]
    place = folder(tmp_path / "t", rows, template={"stop": "||"})
    task = lazily(place, monkeypatch)
    with pytest.raises(TaskError, match=r"train.jsonl:4: the stop text '\|\|'"):
        list(task.train)


@pytest.mark.parametrize(
    ("row", "stop"),
    [
        ({"input": "a", "output": "b\nc"}, "\n###\n"),
        ({"output": 'b "quoted" \\n no end', "input": "a\nb"}, "\n"),
        ({"output": 'b "quoted"\\\nc', "input": "a"}, "\n###\n"),
        ({"input": '"output": "b\nc"', "output": "b\n"}, "\n"),
        ({"input": "a", "output": " \n b \t\u00e9\r\n c"}, "\n###\n"),
    ],
)
@pytest.mark.parametrize("spelled", ["\\n", "\\u000a", "\\u000A"])
def test_the_stop_text_is_the_one_that_all_answers_allow(tmp_path, monkeypatch, row, stop, spelled):
    text = json.dumps(row)
    if spelled != "\\n":
        text = text.replace("\\\\", "\0").replace("\\n", spelled).replace("\0", "\\\\")
    place = folder(tmp_path / "t", lines(ROWS) + text + "\n")
    assert load_task(place).template.stop == stop
    assert lazily(place, monkeypatch).template.stop == stop


def test_an_answer_of_several_lines_in_a_conversation_is_seen(tmp_path, monkeypatch):
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b\nc"}]
    place = folder(tmp_path / "t", [{"talk": talk}], columns={"messages": "talk"})
    assert lazily(place, monkeypatch) == load_task(place)


def test_a_task_with_other_labels_is_compared_with_them_at_once(tmp_path, monkeypatch):
    task = lazily(folder(tmp_path / "t", labels=["fruit", "vegetable"]), monkeypatch)
    with pytest.raises(TaskError, match='output "vegetable" is not among'):
        replace(task, labels=("fruit", "metal"))
    with pytest.raises(TaskError, match="stop text"):
        replace(task, template=Template(stop="eg"))


def test_a_large_file_without_rows_is_refused(tmp_path, monkeypatch):
    with pytest.raises(TaskError, match="holds no examples"):
        lazily(folder(tmp_path / "t", "\n \n"), monkeypatch)


def test_rows_survive_pickling_and_saving(tmp_path, monkeypatch):
    task = lazily(folder(tmp_path / "t", test=ROWS[:1]), monkeypatch)
    assert pickle.loads(pickle.dumps(task)) == task
    assert load_task(save_task(task, tmp_path / "other")) == task


def test_the_fingerprint_changes_with_the_rows_and_with_nothing_else(tmp_path, monkeypatch):
    one, twin = (lazily(folder(tmp_path / n, name="t"), monkeypatch).train for n in "ab")
    other = lazily(folder(tmp_path / "c", [*ROWS[:2], ("a ripe peas", "fruit")], name="t"), monkeypatch).train
    prints = [rows.fingerprint() for rows in (one, twin, other, one.without({1}), one.without({0}))]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_leaks_are_found_and_dropped_as_in_a_file_read_whole(tmp_path, monkeypatch):
    shared = "one two three four five six seven eight nine"
    rows = [(f"row {i} of many {'and ' + shared if i == 3 else ''}", "fruit") for i in range(12)]
    place = folder(tmp_path / "t", rows, test=[*ROWS, rows[3]])
    held = load_task(folder(tmp_path / "h", [(f"look: {shared} and more", "x"), rows[5]], name="held"))
    whole, lazy = load_task(place), lazily(place, monkeypatch)
    leaks = find_leaks([lazy], [held])
    assert leaks == find_leaks([whole], [held])
    assert {row for leak in leaks for row in leak.rows} == {3, 5, 15}
    kept = drop_leaks([lazy], leaks)
    assert kept == drop_leaks([whole], leaks)
    assert isinstance(kept[0].train, LazyRows)
