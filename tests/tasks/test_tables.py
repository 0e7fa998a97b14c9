"""Tables give the rows of a file as another reader of the format gives them, and name every faulty one by its place."""

import json

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Example, load_task, open_table
from tests.tasks.folders import folder

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


def good(table):
    return [row for _, row in table.rows() if not isinstance(row, TaskError)]


def faults(table):
    return {number: str(row) for number, row in table.rows() if isinstance(row, TaskError)}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_the_three_formats_hold_the_same_rows(tmp_path_factory, pairs):
    place, rows = tmp_path_factory.mktemp("t"), [{"text": a, "label": b} for a, b in pairs]
    frame = pandas.DataFrame(rows)
    frame.to_csv(place / "t.csv", index=False)
    frame.to_parquet(place / "t.parquet")
    frame.to_json(place / "t.jsonl", orient="records", lines=True)
    for kind in ("csv", "parquet", "jsonl"):
        assert good(open_table(place / f"t.{kind}")) == rows


def test_every_faulty_line_of_a_csv_is_named_and_the_rows_between_are_read(tmp_path):
    place = tmp_path / "t.csv"
    place.write_text('text,label\na,x\nb,y,z\nc,x\n"d"e,x\n"two\nlines",y\n\nf\ng,x\n')
    table = open_table(place)
    assert good(table) == [
        {"text": text, "label": label} for text, label in [("a", "x"), ("c", "x"), ("two\nlines", "y"), ("g", "x")]
    ]
    assert sorted(faults(table)) == [3, 5, 9]
    assert faults(table)[3].startswith(f"{place}:3: 3 fields where the head names 2")


def test_a_quote_that_swallows_lines_is_named_with_the_lines_it_swallows(tmp_path):
    place = tmp_path / "t.csv"
    place.write_text('text,label\na,x\n"b,x\nc,y\nd,"x"\n')
    ((number, message),) = faults(open_table(place)).items()
    assert number == 3
    assert "to line 5" in message


def test_every_faulty_line_of_a_jsonl_is_named_and_the_rows_between_are_read(tmp_path):
    place = tmp_path / "t.jsonl"
    place.write_bytes(b'{"a": 1}\n{"a": \n\n{"a": 2}\n\xff\n')
    assert good(open_table(place)) == [{"a": 1}, {"a": 2}]
    assert sorted(faults(open_table(place))) == [2, 5]


def test_a_parquet_task_folder_means_the_same_as_a_jsonl_one(tmp_path):
    a, b = folder(tmp_path / "a", name="t"), folder(tmp_path / "b", name="t")
    rows = [json.loads(line) for line in (b / "train.jsonl").read_text().splitlines()]
    (b / "train.jsonl").unlink()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), b / "train.parquet")
    assert load_task(b) == load_task(a)


def test_integer_labels_of_a_parquet_file_become_the_names_that_datasets_left_in_it(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["fruit", "vegetable"])})
    place = folder(tmp_path / "t", columns={"input": "text", "output": "label"}, labels=["fruit", "vegetable"])
    (place / "train.jsonl").unlink()
    data = {"text": ["pear", "leek"], "label": [0, 1]}
    Dataset.from_dict(data, features=features).to_parquet(place / "train.parquet")
    assert load_task(place).train == [Example("pear", "fruit"), Example("leek", "vegetable")]


def test_a_label_without_a_name_is_refused_by_row(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"input": Value("string"), "output": ClassLabel(names=["fruit", "vegetable"])})
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    data = {"input": ["pear", "leek"], "output": [0, -1]}
    Dataset.from_dict(data, features=features).to_parquet(place / "train.parquet")
    with pytest.raises(TaskError, match=r"train\.parquet:2: field \"output\" is -1"):
        load_task(place)


def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").rename(place / "train.parquet")
    with pytest.raises(TaskError, match=r"train\.parquet: not a parquet file"):
        load_task(place)


def test_a_csv_that_names_a_column_twice_is_refused(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    (place / "train.csv").write_text("input,output,input\na,b,c\n")
    with pytest.raises(TaskError, match=r"train\.csv:1: .* names a column twice"):
        load_task(place)
