"""A generated answer ends where the model ends it, whichever of its marks it says, and holds none of them."""

from dataclasses import replace

import pytest
import torch
from transformers import GenerationConfig

from manyshot.inference import Reader, generate
from manyshot.inference.generation import end_tokens
from manyshot.tasks import Example, as_chat
from tests import tiny
from tests.episodes.chats import CHATML, chat_tokenizer
from tests.episodes.tokenizers import marks_with_line_ends


class Script:
    """A row that says the same tokens behind every prompt, whatever it reads."""

    def __init__(self, ids) -> None:
        self.ids, self.n_read = ids, 0

    def append(self, chains, *, every=False):
        logits = torch.zeros(len(chains), max(self.ids) + 1)
        # a script that is over goes on with its last token, as a model that is not stopped would with something
        logits[:, self.ids[min(self.n_read, len(self.ids) - 1)]] = 20.0
        self.n_read += 1
        return list(range(len(chains))), logits


def answer_of(monkeypatch, tokenizer, task, said, *, ends=None):
    """What is made of a model that says these texts and marks, and the row that it said them in."""
    ids = [i for text in said for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
    row, model = Script(ids), tiny.model("llama")
    model.generation_config = GenerationConfig(eos_token_id=ends)
    monkeypatch.setattr("manyshot.inference.primed.generate", lambda _, *args, **named: generate(row, *args, **named))
    (answer,) = Reader(model, tokenizer, cached=True).prime(task).answer(["a"], max_new_tokens=12)
    return answer.output, row.n_read


def chat_task():
    task = tiny.copy_task()
    return replace(task, instruction="", template=as_chat(task.template, "user"))


@pytest.mark.parametrize("behind", ["\n", "</s>", "<|im_start|>", "garden"])
def test_a_chat_answer_ends_with_its_mark_whatever_follows(monkeypatch, behind):
    tokenizer = chat_tokenizer("byte level", CHATML)
    said = ["two\nlines", "<|im_end|>", behind]
    output, n_read = answer_of(monkeypatch, tokenizer, chat_task(), said)
    assert output == "two\nlines"
    # nothing is asked for behind the mark
    assert n_read == len(tokenizer("two\nlines<|im_end|>", add_special_tokens=False)["input_ids"])


def test_a_chat_answer_is_trained_and_scored_with_its_whole_stop_text():
    tokenizer, task = chat_tokenizer("byte level", CHATML), chat_task()
    reader = Reader(tiny.model("llama"), tokenizer, cached=True)
    assert tokenizer.decode(reader.encoder.answers(task, ["garden"])[0].tolist()) == "garden<|im_end|>\n"


@pytest.mark.parametrize("mark", ["<s>", "<start_of_turn>", "</s>"])
def test_an_answer_ends_at_each_of_the_ends_that_the_model_s_generation_config_names(monkeypatch, mark):
    tokenizer = chat_tokenizer("byte level", CHATML)
    ends = tokenizer.convert_tokens_to_ids(["<s>", "<start_of_turn>"])
    for task in (chat_task(), tiny.copy_task()):
        assert answer_of(monkeypatch, tokenizer, task, ["garden", mark, "river"], ends=ends)[0] == "garden"


def test_the_ends_of_a_model_are_those_of_its_generation_config():
    model = tiny.model("llama")
    for given, ends in ((None, ()), (5, (5,)), ([5, 7], (5, 7))):
        model.generation_config = GenerationConfig(eos_token_id=given)
        assert end_tokens(model) == ends
    assert end_tokens(torch.nn.Linear(1, 1)) == ()


@pytest.mark.parametrize("end", [".", ")", "?"])
def test_a_mark_that_shares_a_token_with_the_stop_text_stays_in_the_answer(monkeypatch, end):
    tokenizer, task = marks_with_line_ends(), tiny.copy_task()
    task = replace(task, train=[Example("a", f"north{end}")], test=())
    output, n_read = answer_of(monkeypatch, tokenizer, task, [f" north{end}\n", "garden"])
    assert output == f"north{end}"
    assert n_read == len(tokenizer(f" north{end}\n")["input_ids"])
