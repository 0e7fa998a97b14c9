"""A task that exists is valid; templates render and parse; plain text is split into documents."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyshot.errors import TaskError
from manyshot.tasks import Example, Task, Template, default_template, open_corpus
from tests import tiny

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).map(str.strip).filter(bool)


def test_a_task_without_training_examples_is_refused():
    with pytest.raises(TaskError, match='task "t" has no training examples'):
        Task("t", "f", "", "f1", None, [])


def test_a_task_refuses_an_unlisted_output_by_split_and_number():
    with pytest.raises(TaskError, match=r'test example 2: output "nort".*did you mean "north"'):
        replace(tiny.word_task(), test=[Example("a", "north"), Example("b", "nort")])


@pytest.mark.parametrize(
    "change",
    [
        {"instruction": "Other."},
        {"labels": (*tiny.LABELS, "west")},
        {"template": Template(chat="user")},
        {"template": Template(stop="\n\n")},
        {"template": Template(header="{instruction}\n\n")},
        {"template": Template(prompt="{input}")},
        {"template": Template(answer="{output}")},
        {"train": [Example("x", "north"), *tiny.word_task().train[1:]]},
        {"test": tiny.word_task().test[:-1]},
        {"train": [*tiny.word_task().train, tiny.word_task().test[0]], "test": tiny.word_task().test[1:]},
    ],
    ids=lambda change: "-".join(change),
)
def test_the_content_hash_changes_with_all_that_a_model_sees(change):
    task = tiny.word_task()
    assert replace(task, **change).content_hash() != task.content_hash()


@given(LINE, LINE)
def test_texts_with_braces_are_rendered_as_they_are(text, output):
    template = Template()
    assert template.render_prompt(text) == f"Input: {text}\nOutput:"
    assert template.render_answer(output) == f" {output}"


@given(
    LINE,
    st.sampled_from([Template(), Template(answer=" <{output}>"), Template(answer="{output}.", stop="\n\n")]),
    st.text(max_size=10),
)
def test_an_answer_is_parsed_back_from_what_is_generated_for_it(output, template, rest):
    # what comes behind the stop text, or white space around the answer, is no part of it
    generated = template.render_answer(output) + template.stop + rest
    assert template.parse_answer(generated) == output


def test_a_header_without_an_instruction_is_empty():
    assert Template().render_header("") == ""


@pytest.mark.parametrize(("outputs", "stop"), [(["a", "b"], "\n"), (["a", "b\nc"], "\n###\n"), ([], "\n")])
def test_the_default_stop_text_is_a_line_end_unless_an_answer_has_one(outputs, stop):
    assert default_template(outputs).stop == stop


def test_a_corpus_is_split_at_blank_lines(tmp_path):
    (tmp_path / "b.txt").write_text("third\n\n\n\nfourth")
    (tmp_path / "a.txt").write_text("first\nline\n\nsecond é")
    corpus = open_corpus(tmp_path)
    assert list(corpus.documents) == ["first\nline", "second é", "third", "fourth"]
    assert corpus.n_bytes == 10 + 9 + 5 + 6


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no text there"), (b"\n\n \n\n", "holds no text"), ("für".encode("latin-1"), "not UTF-8")],
)
def test_a_corpus_without_readable_text_is_refused_by_place(tmp_path, content, said):
    place = tmp_path / "text.txt"
    if content is not None:
        place.write_bytes(content)
    with pytest.raises(TaskError, match=said) as caught:
        open_corpus(place)
    assert str(caught.value).startswith(str(place))
