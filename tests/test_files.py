"""Files are whole or absent, lines are named by number, hashes tell contents apart."""

import hashlib
import json
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manyshot import files
from manyshot.errors import ManyshotError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_an_interrupted_write_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch, step):
    place = tmp_path / "summary.json"
    files.write_text(place, "old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(place, "new and longer")
    monkeypatch.undo()
    assert place.read_text() == "old"
    assert os.listdir(tmp_path) == ["summary.json"]


def test_an_interrupted_first_write_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        files.write_text(tmp_path / "a.txt", "new")
    assert os.listdir(tmp_path) == []


def test_the_content_is_on_disk_before_the_name_points_to_it(tmp_path, monkeypatch):
    done = []
    for step in ("fsync", "replace"):
        real = getattr(os, step)
        monkeypatch.setattr(os, step, lambda *a, real=real, step=step: (done.append(step), real(*a))[1])
    files.write_text(tmp_path / "a.txt", "new")
    assert done[:2] == ["fsync", "replace"]


def test_writing_makes_the_folders_above(tmp_path):
    files.write_text(tmp_path / "a" / "b" / "c.txt", "ü")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "ü".encode()


def test_a_written_file_can_be_read_by_others(tmp_path):
    files.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(JSON)
def test_json_is_read_back_equal(tmp_path_factory, value):
    place = tmp_path_factory.mktemp("json") / "a.json"
    files.write_json(place, value)
    assert files.read_json(place) == value


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(ManyshotError, match=r"a\.json: no such file"):
        files.read_json(tmp_path / "a.json")


def test_a_broken_json_file_is_named_by_line(tmp_path):
    (tmp_path / "a.json").write_text('{\n "a": 1,\n "b" 2}')
    with pytest.raises(ManyshotError, match=r"a\.json:3: not valid JSON"):
        files.read_json(tmp_path / "a.json")


def test_a_json_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.json").write_bytes('{"a": "ü"}'.encode("latin-1"))
    with pytest.raises(ManyshotError, match=r"a\.json.*UTF-8"):
        files.read_json(tmp_path / "a.json")


# ---- lines


@given(st.lists(st.dictionaries(TEXT, TEXT | st.integers(), max_size=3), max_size=5), st.integers(0, 5))
def test_lines_appended_in_parts_are_read_back_in_order(tmp_path_factory, rows, cut):
    place = tmp_path_factory.mktemp("lines") / "a.jsonl"
    files.append_lines(place, rows[:cut])
    files.append_lines(place, rows[cut:])
    assert list(files.read_lines(place)) == list(enumerate(rows, start=1))


def test_line_numbers_count_empty_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n   \n{"a": 2}\n')
    assert list(files.read_lines(tmp_path / "a.jsonl")) == [(2, {"a": 1}), (4, {"a": 2})]


def test_a_broken_line_is_named_by_number_and_column(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": }\n{"a": 3}\n')
    with pytest.raises(ManyshotError, match=r"a\.jsonl:3: not valid JSON .* column 7"):
        list(files.read_lines(tmp_path / "a.jsonl"))


def test_a_broken_line_in_the_middle_is_no_torn_end(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(ManyshotError, match=r"a\.jsonl:2"):
        list(files.read_lines(tmp_path / "a.jsonl", drop_torn_end=True))


def test_a_last_line_without_its_end_is_read_unless_it_may_be_torn(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}')
    assert [number for number, _ in files.read_lines(tmp_path / "a.jsonl")] == [1, 2]
    assert [number for number, _ in files.read_lines(tmp_path / "a.jsonl", drop_torn_end=True)] == [1]


@pytest.mark.parametrize("kept", range(len(files.json_line({"a": "ü€"}).encode())))
def test_a_writer_killed_at_any_byte_leaves_the_lines_before(tmp_path, kept):
    place = tmp_path / "a.jsonl"
    torn = files.json_line({"a": "ü€"}).encode()[:kept]
    place.write_bytes(files.json_line({"a": "first"}).encode() + torn)
    assert list(files.read_lines(place, drop_torn_end=True)) == [(1, {"a": "first"})]


# ---- hashes


def test_a_file_s_hash_is_its_sha256(tmp_path):
    data = bytes(range(256)) * 9000
    (tmp_path / "a.bin").write_bytes(data)
    assert files.hash_file(tmp_path / "a.bin") == hashlib.sha256(data).hexdigest()


@given(st.lists(st.text("ab\x00", max_size=3), max_size=3), st.lists(st.text("ab\x00", max_size=3), max_size=3))
@example(["a\x00", "b"], ["a", "\x00b"])
def test_other_parts_have_another_hash(a, b):
    assert (files.hash_text(*a) == files.hash_text(*b)) == (a == b)


def test_a_hash_of_text_is_sixteen_hex_digits():
    assert len(files.hash_text("a")) == 16
    assert int(files.hash_text("a"), 16) >= 0


def test_a_line_is_one_line_of_json():
    line = files.json_line({"a": "one\ntwo\u2028three", "b": [1.5, None]})
    assert line.count("\n") == 1
    assert json.loads(line) == {"a": "one\ntwo\u2028three", "b": [1.5, None]}
