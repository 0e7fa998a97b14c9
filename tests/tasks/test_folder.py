"""Task folders are read whole or refused with the place, the value and the next step."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Example, Task, Template, is_task_folder, load_task, save_task
from tests.tasks.folders import ROWS, folder, lines

EXAMPLES = [Example(*row) for row in ROWS]


def refusal(place: Path) -> str:
    """Return what load_task says against a folder."""
    with pytest.raises(TaskError) as caught:
        load_task(place)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- reading


def test_a_folder_with_a_json_description_gives_its_fields_and_rows(tmp_path):
    place = folder(
        tmp_path / "food",
        test=ROWS[:1],
        instruction="Say what it is.",
        labels=["fruit", "vegetable"],
        source="a market",
        licence="CC0",
        citation="nobody",
    )
    assert load_task(place) == Task(
        name="food",
        family="classification",
        instruction="Say what it is.",
        metric="accuracy",
        labels=("fruit", "vegetable"),
        train=EXAMPLES,
        test=EXAMPLES[:1],
        source="a market",
        licence="CC0",
        citation="nobody",
    )


def test_a_yaml_description_means_the_same_as_a_json_one(tmp_path):
    a = folder(tmp_path / "a", name="food", instruction="Say: what is it?", labels=["fruit", "vegetable"])
    b = folder(tmp_path / "b")
    (b / "task.yaml").write_text(yaml.safe_dump(json.loads((a / "task.json").read_text())))
    (b / "task.json").unlink()
    assert load_task(b) == load_task(a)


def test_csv_rows_mean_the_same_as_jsonl_rows(tmp_path):
    rows = [('one, two "three"', "x"), ("two\nlines", "y"), ("ümlaut", "x")]
    a = folder(tmp_path / "a", rows, name="t")
    b = folder(tmp_path / "b", name="t")
    (b / "train.jsonl").unlink()
    (b / "train.csv").write_text('input,output\n"one, two ""three""",x\n"two\nlines",y\nümlaut,x\n', encoding="utf-8")
    assert load_task(b) == load_task(a)


def test_a_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_column(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    (place / "train.csv").write_text("input,output\na b c,x\n", encoding="utf-8-sig")
    assert load_task(place).train == [Example("a b c", "x")]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_columns_name_the_fields_that_hold_input_and_output(tmp_path, kind):
    place = folder(
        tmp_path / "t", [{"text": "a b c", "class": "x", "id": "7"}], columns={"input": "text", "output": "class"}
    )
    if kind == "csv":
        (place / "train.jsonl").unlink()
        (place / "train.csv").write_text("id,class,text\n7,x,a b c\n")
    assert load_task(place).train == [Example("a b c", "x")]


def test_outputs_lose_surrounding_white_space_and_inputs_do_not(tmp_path):
    assert load_task(folder(tmp_path / "t", [(" a b ", " x\n")])).train == [Example(" a b ", "x")]


def test_blank_lines_between_rows_are_no_rows(tmp_path):
    assert load_task(folder(tmp_path / "t", "\n" + lines(ROWS).replace("\n", "\n\n"))).train == EXAMPLES


def test_a_folder_without_test_rows_has_no_queries(tmp_path):
    assert load_task(folder(tmp_path / "t")).test == []


def test_a_task_folder_is_known_by_its_description(tmp_path):
    place = folder(tmp_path / "t")
    assert is_task_folder(place)
    (place / "task.json").unlink()
    assert not is_task_folder(place)


def test_answers_of_one_line_stop_at_a_newline(tmp_path):
    assert load_task(folder(tmp_path / "t")).template.stop == "\n"


@pytest.mark.parametrize("split", ["train", "test"])
def test_answers_of_several_lines_stop_at_three_marks_on_a_line(tmp_path, split):
    rows = [*ROWS, ("write a poem", "roses are red\nviolets are blue")]
    place = folder(tmp_path / "t", **{"train": ROWS, "test": ROWS, split: rows})
    assert load_task(place).template.stop == "\n###\n"


def test_a_template_without_a_stop_gets_the_one_that_its_answers_allow(tmp_path):
    place = folder(tmp_path / "t", [("q", "a\nb")], template={"prompt": "Q: {input}\nA:"})
    assert load_task(place).template == Template(prompt="Q: {input}\nA:", stop="\n###\n")


# ---- round trip

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|"), min_size=1, max_size=20)
OUTPUT = TEXT.map(str.strip).filter(bool)


@settings(deadline=None, max_examples=60)
@given(
    pools=st.tuples(*[st.lists(st.builds(Example, TEXT, OUTPUT), min_size=n, max_size=4) for n in (1, 0)]),
    name=TEXT,
    instruction=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    closed=st.booleans(),
)
def test_a_saved_task_is_read_back_equal(tmp_path_factory, pools, name, instruction, closed):
    train, test = pools
    labels = tuple(dict.fromkeys([e.output for e in train + test] + ["one label", "another"])) if closed else None
    template = Template(header="H {instruction}", prompt="<{input}>", answer="={output}", stop="||")
    task = Task(name, "family", instruction, "f1", labels, train, test, template, "s", "l", "c")
    assert load_task(save_task(task, tmp_path_factory.mktemp("saved") / "t")) == task


@pytest.mark.parametrize("chat", ["system", "user"])
def test_a_saved_conversation_is_read_back_equal(tmp_path, chat):
    template = Template(prompt="{input}?", answer="{output}", chat=chat)
    task = Task("t", "f", "Do.", "f1", None, [Example("a", "b\nc")], [], template)
    assert load_task(save_task(task, tmp_path / "t")) == task


def test_a_conversation_needs_no_words_around_its_texts_and_no_stop(tmp_path):
    template = load_task(folder(tmp_path / "t", [("q", "a\nb")], template={"chat": "system"})).template
    assert (template.prompt, template.answer, template.chat) == ("{input}", "{output}", "system")


@pytest.mark.parametrize(
    ("template", "says"),
    [({"chat": "system", "stop": "\n"}, "both chat and stop"), ({"chat": "yes"}, "template.chat is 'yes'")],
)
def test_a_conversation_that_makes_no_sense_is_refused(tmp_path, template, says):
    assert says in refusal(folder(tmp_path / "t", template=template))


def test_a_task_saved_without_queries_over_one_with_queries_has_none(tmp_path):
    many = Task("t", "f", "", "f1", None, EXAMPLES, EXAMPLES)
    save_task(many, tmp_path / "t")
    few = Task("t", "f", "", "f1", None, EXAMPLES, [])
    assert load_task(save_task(few, tmp_path / "t")) == few


# ---- refusals: the description


def test_a_folder_without_a_description_is_refused(tmp_path):
    assert refusal(tmp_path) == (
        f"{tmp_path}: no task here; a task folder holds task.json or task.yaml and train.jsonl"
    )


@pytest.mark.parametrize("key", ["name", "metric"])
def test_a_description_without_a_needed_field_is_refused_by_its_name(tmp_path, key):
    place = folder(tmp_path / "t", **{key: None})
    message = refusal(place)
    assert message.startswith(f'{place / "task.json"}: field "{key}" is missing')


def test_a_broken_json_description_is_refused_by_line(tmp_path):
    place = folder(tmp_path / "t")
    (place / "task.json").write_text('{"name": "t",\n "metric": accuracy}')
    assert refusal(place).startswith(f"{place / 'task.json'}:2: ")


def test_a_broken_yaml_description_is_refused_by_line(tmp_path):
    place = folder(tmp_path / "t")
    (place / "task.json").unlink()
    (place / "task.yaml").write_text("name: t\nmetric: [accuracy\nfamily: x\n")
    message = refusal(place)
    assert message.startswith(str(place / "task.yaml"))
    assert "line 3" in message or "task.yaml:3" in message


@pytest.mark.parametrize("name", ["task.json", "task.yaml"])
def test_a_description_that_is_not_utf8_is_refused_by_place(tmp_path, name):
    place = folder(tmp_path / "t")
    (place / "task.json").unlink()
    (place / name).write_bytes('{"name": "t", "metric": "accuracy", "source": "Zürich"}'.encode("latin-1"))
    message = refusal(place)
    assert message.startswith(str(place / name))
    assert "UTF-8" in message


def test_a_description_that_is_a_list_is_refused_by_its_type(tmp_path):
    place = folder(tmp_path / "t")
    (place / "task.json").write_text("[1]")
    assert refusal(place) == f"{place / 'task.json'}: holds list; it must be one object of named fields"


def test_an_unknown_metric_is_refused_with_the_nearest(tmp_path):
    place = folder(tmp_path / "t", metric="acuracy")
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert '"acuracy" is unknown, did you mean "accuracy"?' in message


@pytest.mark.parametrize("labels", [["fruit"], ["fruit", "fruit"], "fruit", []])
def test_fewer_than_two_labels_are_refused(tmp_path, labels):
    place = folder(tmp_path / "t", labels=labels)
    message = refusal(place)
    assert message.startswith(f"{place / 'task.json'}: labels is {labels!r}")
    assert "two or more" in message


def test_a_label_listed_twice_is_refused(tmp_path):
    place = folder(tmp_path / "t", labels=["fruit", "vegetable", "fruit"])
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert "fruit" in message


def test_columns_that_are_no_object_are_refused(tmp_path):
    place = folder(tmp_path / "t", columns=["text", "class"])
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert "columns" in message


def test_an_unknown_column_role_is_refused_with_the_nearest(tmp_path):
    place = folder(tmp_path / "t", columns={"inputs": "text"})
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert 'did you mean "input"?' in message


@pytest.mark.parametrize(("field", "placeholder"), [("prompt", "{input}"), ("answer", "{output}")])
def test_a_template_without_its_placeholder_is_refused(tmp_path, field, placeholder):
    place = folder(tmp_path / "t", template={field: "no place"})
    assert refusal(place) == (
        f"{place / 'task.json'}: template.{field} is 'no place'; it needs the placeholder \"{placeholder}\""
    )


def test_an_unknown_template_field_is_refused_with_the_nearest(tmp_path):
    place = folder(tmp_path / "t", template={"promt": "{input}"})
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert '"promt", did you mean "prompt"?' in message


def test_an_empty_stop_text_is_refused(tmp_path):
    place = folder(tmp_path / "t", template={"stop": ""})
    message = refusal(place)
    assert message.startswith(f"{place / 'task.json'}: template.stop is empty")


@pytest.mark.parametrize("template", ["Q: {input}", 3, ["{input}"]])
def test_a_template_that_is_no_object_is_refused(tmp_path, template):
    place = folder(tmp_path / "t", template=template)
    assert refusal(place).startswith(f"{place / 'task.json'}: template is {template!r}")


@pytest.mark.parametrize("field", ["header", "prompt", "answer", "stop"])
def test_a_template_field_that_is_no_text_is_refused_by_name(tmp_path, field):
    place = folder(tmp_path / "t", instruction="Do.", template={field: 3})
    message = refusal(place)
    assert message.startswith(str(place / "task.json"))
    assert f"template.{field}" in message


# ---- refusals: the rows


def test_a_missing_rows_file_is_refused(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    assert refusal(place) == f"{place}: train.jsonl is missing; a task folder needs it (or train.csv, train.parquet)"


def test_two_files_of_one_split_are_refused(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.csv").write_text("input,output\na,b\n")
    assert refusal(place) == f"{place}: both train.jsonl and train.csv are there; keep one"


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_row_without_a_field_is_refused_by_file_and_line(tmp_path, split):
    rows = [*ROWS, {"input": "a b c", "outptu": "fruit"}]
    place = folder(tmp_path / "t", **{"train": ROWS, split: rows})
    assert refusal(place) == (
        f'{place / split}.jsonl:4: field "output" is missing, did you mean "outptu"?; every line needs "input" and "output"'
    )


def test_a_row_without_a_mapped_field_is_refused_by_the_mapped_name(tmp_path):
    place = folder(tmp_path / "t", columns={"output": "class"})
    assert f'{place / "train.jsonl"}:1: field "class" is missing' in refusal(place)


def test_a_field_that_is_a_number_is_refused_with_its_value(tmp_path):
    place = folder(tmp_path / "t", [*ROWS, {"input": "a b c", "output": 7}])
    assert refusal(place) == f'{place / "train.jsonl"}:4: field "output" is 7; it must be text in quotes'


def test_an_empty_answer_is_refused_by_file_and_line(tmp_path):
    place = folder(tmp_path / "t", [*ROWS, ("a b c", "  ")])
    assert refusal(place) == f'{place / "train.jsonl"}:4: field "output" is empty; every example needs an answer'


def test_a_row_that_is_no_object_is_refused_by_file_and_line(tmp_path):
    place = folder(tmp_path / "t", lines(ROWS) + '["a", "b"]\n')
    message = refusal(place)
    assert message.startswith(f"{place / 'train.jsonl'}:4: a list")
    assert "object" in message


def test_a_broken_json_line_is_refused_by_file_line_and_column(tmp_path):
    place = folder(tmp_path / "t", lines(ROWS) + '\n{"input": "a b c", "output": }\n')
    message = refusal(place)
    assert message.startswith(f"{place / 'train.jsonl'}:5: not valid JSON")
    assert "column 30" in message


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_rows_file_is_refused(tmp_path, split):
    place = folder(tmp_path / "t", **{"train": ROWS, split: []})
    assert refusal(place) == f"{place / split}.jsonl: holds no examples; it needs at least one row"


def test_a_label_outside_the_list_is_refused_with_the_nearest(tmp_path):
    place = folder(tmp_path / "t", [*ROWS, ("a b c", "vegetabel")], labels=["fruit", "vegetable"])
    assert refusal(place) == (
        f'{place / "train.jsonl"}:4: output "vegetabel" is not among the 2 labels, did you mean "vegetable"?; '
        "mend the row or the list of labels"
    )


def test_a_stop_text_inside_an_answer_is_refused_by_file_and_line(tmp_path):
    rows = lines(ROWS) + "\n" + lines([("a b c", "one;two")])
    place = folder(tmp_path / "t", rows, template={"stop": ";"})
    message = refusal(place)
    assert "';'" in message
    assert "'one;two'" in message
    assert "template.stop" in message
    # a blank line stands before the row, so its line in the file is not its place among the examples
    assert f"{place / 'train.jsonl'}:5" in message


def test_an_answer_that_ends_as_its_stop_text_begins_is_refused_by_file_and_line(tmp_path):
    place = folder(tmp_path / "t", [*ROWS, ("a b c", "one\n###")], template={"stop": "\n###\n"})
    # read back up to the stop text it would end at, the answer would have lost its last line
    assert (" one\n###" + "\n###\n").split("\n###\n")[0] == " one"
    assert f"{place / 'train.jsonl'}:4: the stop text" in refusal(place)


@pytest.mark.parametrize(("name", "separator"), [("train.tsv", "\t"), ("train.CSV", ","), ("train.JSONL", None)])
def test_tables_with_tabs_or_capitals_are_rows_and_saving_leaves_none_behind(tmp_path, name, separator):
    a, b = folder(tmp_path / "a", name="t"), folder(tmp_path / "b", name="t")
    content = (b / "train.jsonl").read_text()
    (b / "train.jsonl").unlink()
    if separator is not None:
        content = "".join(f"{x}{separator}{y}\n" for x, y in [("input", "output"), *ROWS])
    (b / name).write_text(content)
    assert load_task(b) == load_task(a)
    assert load_task(save_task(load_task(a), b)) == load_task(a)


@pytest.mark.parametrize(("row", "n_fields"), [("a, b, c, fruit", 4), ("fruit", 1)])
def test_a_csv_row_with_a_wrong_number_of_fields_is_refused_by_file_and_line(tmp_path, row, n_fields):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    (place / "train.csv").write_text(f"input,output\na b c,fruit\n{row}\n")
    assert refusal(place) == (
        f"{place / 'train.csv'}:3: {n_fields} fields where the head names 2; quote texts that hold a comma"
    )


def test_a_csv_quote_that_is_never_closed_is_refused_by_file_and_line(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    (place / "train.csv").write_text('input,output\na b c,fruit\n"a b c,fruit\n')
    message = refusal(place)
    assert message.startswith(f"{place / 'train.csv'}:3")
    assert "CSV" in message


def test_a_csv_text_longer_than_the_reader_likes_is_read(tmp_path):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    text = "word " * 40_000
    (place / "train.csv").write_text(f"input,output\n{text},fruit\n")
    assert load_task(place).train == [Example(text, "fruit")]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_rows_that_are_not_utf8_are_refused_by_file_and_line(tmp_path, kind):
    place = folder(tmp_path / "t")
    (place / "train.jsonl").unlink()
    head = "input,output\n" if kind == "csv" else ""
    good = "a b c,fruit\n" if kind == "csv" else lines([("a b c", "fruit")])
    bad = good.replace("a b", "ä b").encode("latin-1")
    (place / f"train.{kind}").write_bytes((head + good * 2000).encode() + bad)
    message = refusal(place)
    assert "UTF-8" in message
    assert message.startswith(f"{place}/train.{kind}:{2001 + bool(head)}:")


def test_half_a_character_is_refused_by_file_and_line(tmp_path):
    # JSON can spell half of a surrogate pair, which no tokenizer and no file can hold
    place = folder(tmp_path / "t", lines(ROWS) + '{"input": "a \\ud83d b", "output": "fruit"}\n')
    assert refusal(place).startswith(f"{place / 'train.jsonl'}:4")
