"""Local csv and tsv files, in a folder or alone, hold the texts that stand in them, and the splits that their names say."""

import contextlib

import pytest

from manyshot.errors import TaskError
from manyshot.tasks import Columns, Example, open_table
from manyshot.tasks.making import open_splits, sort_rows
from manyshot.tasks.text_tables import open_text_tables

COLUMNS = Columns("text", "label")
ODD = ["007", "1.50", "None", "NA", "null", "nan", "True", "2020-01-02"]


def write(place, rows, separator=","):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{a}{separator}{b}\n" for a, b in [("text", "label"), *rows]))


@pytest.mark.parametrize("source", ["{}", "hub:{}", "{}/train.csv", "hub:{}/train.csv"])
def test_a_csv_s_texts_are_those_that_stand_in_it_wherever_it_lies(tmp_path, source):
    write(tmp_path / "train.csv", [(text, text) for text in ODD])
    examples, faults = sort_rows(open_splits(source.format(tmp_path))["train"], COLUMNS)
    assert (examples, faults) == ([Example(text, text) for text in ODD], [])


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (["train.csv", "test.csv", "sample_submission.csv"], {"train": ["train.csv"], "test": ["test.csv"]}),
        (["my-train-1.tsv", "my_dev.CSV"], {"train": ["my-train-1.tsv"], "validation": ["my_dev.CSV"]}),
        (
            ["train/a.csv", "train/b.csv", "test/train.csv"],
            {"train": ["train/a.csv", "train/b.csv"], "test": ["test/train.csv"]},
        ),
        (["a.csv", "b.csv"], {"train": ["a.csv", "b.csv"]}),
        ([".hidden/test.csv", "train.csv"], {"train": ["train.csv"]}),
    ],
)
def test_files_belong_to_the_split_that_datasets_takes_them_for(tmp_path, files, splits):
    from datasets.data_files import get_data_patterns, resolve_pattern

    for file in files:
        write(tmp_path / file, [(file, "x")], "\t" if file.endswith(".tsv") else ",")
    found = {
        split: [e.input for e in sort_rows(table, COLUMNS)[0]]
        for split, table in (open_text_tables(tmp_path) or {}).items()
    }
    assert found == splits
    patterns = get_data_patterns(str(tmp_path))
    theirs: dict[str, set[str]] = {}
    for split, its in patterns.items():
        for pattern in its:
            # some of a split's patterns meet nothing
            with contextlib.suppress(FileNotFoundError):
                theirs.setdefault(str(split), set()).update(resolve_pattern(pattern, str(tmp_path)))
    assert theirs == {split: {str(tmp_path / file) for file in of} for split, of in splits.items()}


def test_a_faulty_row_of_a_split_of_several_files_is_named_by_its_own_file(tmp_path):
    write(tmp_path / "a.csv", [("one", "x"), ("two", "y")])
    write(tmp_path / "b.csv", [("three", "x"), ("four, five", "y")])
    examples, faults = sort_rows(open_splits(str(tmp_path))["train"], COLUMNS)
    assert [e.input for e in examples] == ["one", "two", "three"]
    assert [str(fault).split(": ")[0] for fault in faults] == [f"{tmp_path / 'b.csv'}:3"]


@pytest.mark.parametrize("beside", ["more.json", "README.md"])
def test_a_folder_that_says_more_than_csv_does_is_left_to_datasets(tmp_path, beside):
    write(tmp_path / "a.csv", [("one", "x")])
    (tmp_path / beside).write_text("---\nconfigs:\n- config_name: default\n---\n")
    assert open_text_tables(tmp_path) is None


# ---- separators and suffixes


@pytest.mark.parametrize(("name", "separator"), [("t.tsv", "\t"), ("t.CSV", ","), ("T.TSV", "\t")])
def test_tabs_separate_the_fields_of_a_tsv_and_capitals_change_nothing(tmp_path, name, separator):
    write(tmp_path / name, [("a", "x"), ("b", "y")], separator)
    assert sort_rows(open_table(tmp_path / name), COLUMNS)[0] == [Example("a", "x"), Example("b", "y")]


@pytest.mark.parametrize(
    ("name", "head", "says"),
    [
        ("t.csv", "text;label", "semicolon"),
        ("t.csv", '"text";"label"', "semicolon"),
        ("t.csv", "text\tlabel", "tab .* or name it .tsv"),
        ("t.tsv", "text,label", "comma .* or name it .csv"),
    ],
)
def test_another_separator_is_named(tmp_path, name, head, says):
    (tmp_path / name).write_text(f"{head}\na;x\n")
    with pytest.raises(TaskError, match=says) as caught:
        open_table(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}:1: ")
