"""Pieces encoded apart must be what the whole text is encoded to, for every kind of tokenizer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from manyshot.episodes import Encoder, Pieces, build_episode
from manyshot.tasks import Example, Template, load_task
from tests import tiny
from tests.episodes.tokenizers import added_tokens, prefix_space, sentencepiece_like

KINDS = {
    "byte level": tiny.tokenizer,
    "sentencepiece": sentencepiece_like,
    "no beginning": lambda: sentencepiece_like(bos=False),
    "prefix space": prefix_space,
    "added tokens": added_tokens,
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


def test_an_answer_is_its_text_and_then_the_stop_text(tokenizer):
    encoder, task = Encoder(tokenizer), tiny.word_task()
    (bare,), (ended,) = encoder.answers(task, ["north"], stop=False), encoder.answers(task, ["north"])
    assert ended.tolist() == [*bare.tolist(), *encoder.continuation("\n").tolist()]


def test_no_label_with_its_stop_text_begins_another(tokenizer):
    task = replace(tiny.word_task(), labels=("east", "east side", "north"), train=[Example("a", "north")], test=())
    ids = [piece.tolist() for piece in Encoder(tokenizer).answers(task, task.labels)]
    assert not any(a is not b and b[: len(a)] == a for a in ids for b in ids)


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


@pytest.mark.parametrize("name", ["stories260K", "gpt2_tokenizer"])
def test_real_tokenizers_give_the_episode_that_the_whole_text_is_encoded_to(shared, name):
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / name)
    task = load_task(shared / "data" / "classification" / "trec")
    episode = build_episode(Encoder(tokenizer).examples(task, task.train[:30]), range(30))
    assert episode.ids.tolist() == tokenizer(whole_text(task, 30))["input_ids"]


def test_the_real_sentencepiece_like_tokenizer_opens_with_its_beginning_token(shared):
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / "stories260K")
    assert Encoder(tokenizer).opening.tolist() == [tokenizer.bos_token_id]
