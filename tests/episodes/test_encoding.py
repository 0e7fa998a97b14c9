"""Pieces encoded apart must be what the whole text is encoded to, for every kind of tokenizer."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import processors
from transformers import AutoTokenizer

from manyshot.episodes import Encoder, EpisodeDataset, EpisodeOptions, Pieces, build_episode
from manyshot.errors import EpisodeError
from manyshot.models import load_tokenizer
from manyshot.tasks import Example, Template, load_task
from tests import tiny
from tests.episodes.tokenizers import (
    added_tokens,
    many_openings,
    marks_with_line_ends,
    prefix_space,
    sentencepiece_like,
    without_line_ends,
)

KINDS = {
    "byte level": tiny.tokenizer,
    "sentencepiece": sentencepiece_like,
    "no beginning": lambda: sentencepiece_like(bos=False),
    "prefix space": prefix_space,
    "added tokens": added_tokens,
    "marks with line ends": marks_with_line_ends,
    "many openings": many_openings,
}


@pytest.fixture(params=KINDS, ids=lambda kind: kind.replace(" ", "-"))
def tokenizer(request):
    return KINDS[request.param]()


def whole_text(task, n):
    t = task.template
    examples = (t.render_prompt(e.input) + t.render_answer(e.output) + t.stop for e in task.train[:n])
    return t.render_header(task.instruction) + "".join(examples)


def test_an_episode_is_what_the_whole_text_is_encoded_to(tokenizer):
    task = tiny.word_task()
    episode = build_episode(Encoder(tokenizer).examples(task, task.train), range(20))
    assert episode.ids.tolist() == tokenizer(whole_text(task, 20))["input_ids"]


def test_a_byte_level_episode_without_an_instruction_is_what_its_text_is_encoded_to():
    task = replace(tiny.word_task(), instruction="")
    encoded = Encoder(tiny.tokenizer()).examples(task, task.train)
    assert build_episode(encoded, range(5)).ids.tolist() == tiny.tokenizer()(whole_text(task, 5))["input_ids"]


def test_no_example_differs_at_the_boundaries(tokenizer):
    assert Encoder(tokenizer).boundary_mismatch(tiny.word_task()) == 0


def test_pieces_that_a_tokenizer_would_merge_are_counted_as_differing():
    # byte-level pieces take a space to the word behind it, so an answer without its own space is read as other tokens
    template = Template(prompt="Input: {input}\nOutput: ", answer="{output}")
    task = replace(tiny.word_task(), template=template)
    assert Encoder(tiny.tokenizer()).boundary_mismatch(task) == 1


def test_the_mark_of_a_piece_that_begins_a_text_is_not_in_a_continuation():
    tokenizer = sentencepiece_like()
    encoder = Encoder(tokenizer)
    begins, continues = encoder.start("apple"), encoder.continuation("apple")
    assert tokenizer.convert_ids_to_tokens(begins.tolist())[:2] == ["<s>", "▁apple"]
    assert "".join(tokenizer.convert_ids_to_tokens(continues.tolist())) == "apple"


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(KINDS)), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_a_continuation_decodes_to_its_text(kind, text):
    tokenizer = KINDS[kind]()
    encoder = Encoder(tokenizer)
    before = encoder.start("Output: north\n")
    ids = np.concatenate([before, encoder.continuation(text)])
    decoded = tokenizer.decode(ids.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    # a prefix space is decoded too; nothing else may be added
    assert decoded.removeprefix(" ") == "Output: north\n" + text


def test_a_header_opens_with_the_beginning_of_sequence_token_where_the_tokenizer_puts_one():
    task, tokenizer = tiny.word_task(), sentencepiece_like()
    assert Encoder(tokenizer).header(task)[0] == tokenizer.bos_token_id
    assert Encoder(tokenizer).header(task, instruction=False).tolist() == [tokenizer.bos_token_id]


def test_a_tokenizer_that_knows_a_beginning_token_but_does_not_put_it_opens_with_nothing():
    assert len(Encoder(sentencepiece_like(bos=False)).opening) == 0


def test_a_header_opens_with_all_that_the_tokenizer_puts_before_a_sequence():
    tokenizer = many_openings()
    opening = Encoder(tokenizer).header(tiny.word_task(), instruction=False)
    assert tokenizer.convert_ids_to_tokens(opening.tolist()) == ["[gMASK]", "<sop>"]


def test_what_a_tokenizer_puts_behind_a_sequence_is_no_opening():
    tokenizer = deepcopy(sentencepiece_like())
    ends = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    both = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    tokenizer.backend_tokenizer.post_processor = both
    assert Encoder(tokenizer).opening.tolist() == [tokenizer.bos_token_id]


def test_an_answer_is_its_text_and_then_the_stop_text(tokenizer):
    encoder, task = Encoder(tokenizer), tiny.word_task()
    (bare,), (ended,) = encoder.answers(task, ["north"], stop=False), encoder.answers(task, ["north"])
    assert ended.tolist() == [*bare.tolist(), *encoder.continuation("\n").tolist()]


def test_no_label_with_its_stop_text_begins_another(tokenizer):
    task = replace(tiny.word_task(), labels=("east", "east side", "north"), train=[Example("a", "north")], test=())
    ids = [piece.tolist() for piece in Encoder(tokenizer).answers(task, task.labels)]
    assert not any(a is not b and b[: len(a)] == a for a in ids for b in ids)


# ---- tokenizers that join a mark to the line end behind it


def marked_task(end, stop="\n"):
    """Labels that end in a mark; one is the beginning of another with the mark and without it."""
    task = tiny.word_task()
    new = {"north": f"north{end}", "south": "north", "east side": f"north{end} side{end}"}
    train, test = ([Example(e.input, new[e.output]) for e in pool] for pool in (task.train, task.test))
    return replace(task, labels=tuple(new.values()), train=train, test=test, template=Template(stop=stop))


@pytest.mark.parametrize("stop", ["\n", "\n###\n"])
@pytest.mark.parametrize("end", [".", ")", "?"])
def test_an_answer_that_ends_in_a_mark_is_read_as_it_stands_in_the_whole_text(end, stop):
    tokenizer, task = marks_with_line_ends(), marked_task(end, stop)
    encoder = Encoder(tokenizer)
    (answer,) = encoder.answers(task, [f"north{end}"])
    # or the test would show nothing
    assert f"{end}Ċ" in tokenizer.convert_ids_to_tokens(answer.tolist())
    assert encoder.boundary_mismatch(task) == 0
    episode = build_episode(encoder.examples(task, task.train), range(20))
    assert episode.ids.tolist() == tokenizer(whole_text(task, 20))["input_ids"]


@pytest.mark.parametrize("end", [".", ")", "?"])
def test_a_label_that_begins_another_is_told_apart_by_its_end(end):
    tokenizer, task = marks_with_line_ends(), marked_task(end)
    ids = [piece.tolist() for piece in Encoder(tokenizer).answers(task, task.labels)]
    assert not any(a is not b and b[: len(a)] == a for a in ids for b in ids)
    rows = EpisodeDataset([task], tokenizer, EpisodeOptions(budget_tokens=200), n_rows=6)
    for episode in map(rows.episode, range(6)):
        for (_, start, stop), i in zip(episode.bounds, episode.examples, strict=True):
            assert episode.ids[start:stop].tolist() == ids[task.labels.index(task.train[i].output)]
            assert tokenizer.decode(episode.ids[start:stop].tolist()) == f" {task.train[i].output}\n"


# ---- tokenizers without line ends


@pytest.mark.parametrize("kind", ["word pieces", "words", "unigrams"])
def test_a_stop_text_that_leaves_no_token_is_refused_by_name(kind):
    encoder, task = Encoder(without_line_ends(kind)), tiny.word_task()
    uses = (
        lambda: encoder.answers(task, task.labels),
        lambda: encoder.examples(task, task.train),
        lambda: encoder.boundary_mismatch(task),
    )
    for use in uses:
        with pytest.raises(EpisodeError, match=r"choose another template\.stop") as caught:
            use()
        message = str(caught.value)
        assert f"somebody/{kind}" in message
        assert r"'\n'" in message
        assert "\n" not in message


@pytest.mark.parametrize("kind", ["word pieces", "words", "unigrams"])
def test_such_a_tokenizer_reads_tasks_with_another_stop_text(kind):
    task = replace(tiny.word_task(), labels=("east", "east side", "north"), train=[Example("a", "north")], test=())
    task = replace(task, template=Template(stop=" ;\n"))
    encoder = Encoder(without_line_ends(kind))
    bare = [piece.tolist() for piece in encoder.answers(task, task.labels, stop=False)]
    ids = [piece.tolist() for piece in encoder.answers(task, task.labels)]
    assert bare[1][: len(bare[0])] == bare[0]
    assert not any(a is not b and b[: len(a)] == a for a in ids for b in ids)


def test_labels_without_a_stop_text_need_none():
    task = tiny.word_task()
    assert len(Encoder(without_line_ends("words")).answers(task, task.labels, stop=False)) == len(tiny.LABELS)


def test_inputs_encoded_together_are_encoded_as_alone(tokenizer):
    encoder, task = Encoder(tokenizer), tiny.word_task()
    inputs = [e.input for e in task.train]
    together = encoder.prompts(task, inputs)
    assert all(np.array_equal(together[i], encoder.prompts(task, [text])[0]) for i, text in enumerate(inputs))


# ---- pieces in one flat array


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6), st.data())
def test_pieces_give_back_what_was_stored(arrays, data):
    which = data.draw(st.lists(st.integers(0, len(arrays) - 1), max_size=8)) if arrays else []
    pieces = Pieces.of([np.array(a, np.int32) for a in arrays], which)
    expected = [arrays[k] for k in which]
    assert [piece.tolist() for piece in pieces] == expected
    assert pieces.lengths.tolist() == [len(a) for a in expected]
    assert [piece.tolist() for piece in pieces[1:4]] == expected[1:4]


# ---- real tokenizers and tasks


@pytest.mark.parametrize("name", ["stories260K", "gpt2_tokenizer"])
@pytest.mark.parametrize("place", ["classification/trec", "nli/rte", "math/gsm8k"])
def test_real_tokenizers_read_the_pieces_of_real_tasks_as_they_read_the_text(shared, name, place):
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / name)
    assert Encoder(tokenizer).boundary_mismatch(load_task(shared / "data" / place)) <= 0.01


@pytest.mark.parametrize("name", ["stories260K", "gpt2_tokenizer", "bundled"])
def test_an_answer_and_its_stop_text_have_the_ids_that_they_have_apart(shared, name):
    encoder = Encoder(load_tokenizer(name if name == "bundled" else shared / "models" / name))
    for place in ("classification/trec", "nli/rte", "math/gsm8k_cot", "general/dolly"):
        task = load_task(shared / "data" / place)
        outputs, end = [e.output for e in task.train[:300]], encoder.continuation(task.template.stop)
        together, bare = encoder.answers(task, outputs), encoder.answers(task, outputs, stop=False)
        assert all(np.array_equal(a, np.concatenate([b, end])) for a, b in zip(together, bare, strict=True))


@pytest.mark.parametrize("name", ["stories260K", "gpt2_tokenizer"])
def test_real_tokenizers_give_the_episode_that_the_whole_text_is_encoded_to(shared, name):
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / name)
    task = load_task(shared / "data" / "classification" / "trec")
    episode = build_episode(Encoder(tokenizer).examples(task, task.train[:30]), range(30))
    assert episode.ids.tolist() == tokenizer(whole_text(task, 30))["input_ids"]


def test_the_real_sentencepiece_like_tokenizer_opens_with_its_beginning_token(shared):
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / "stories260K")
    assert Encoder(tokenizer).opening.tolist() == [tokenizer.bos_token_id]
