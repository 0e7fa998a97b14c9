"""A chat model scores, generates and trains on the very conversation that its tokenizer renders."""

from dataclasses import replace

import pytest
import torch

from manyshot.episodes import EpisodeDataset, EpisodeOptions
from manyshot.errors import EvaluationError
from manyshot.inference import Reader
from manyshot.inference.generation import Generation
from manyshot.recipe import make_recipe
from manyshot.run import Run
from manyshot.tasks import as_chat, save_task
from tests import tiny
from tests.episodes.chats import CHATML, chat_tokenizer
from tests.episodes.test_chat import chat_task, messages


@pytest.fixture(scope="module")
def tokenizer():
    return chat_tokenizer("byte level", CHATML)


@pytest.fixture(scope="module")
def model(tokenizer):
    made = tiny.model("llama")
    made.resize_token_embeddings(len(tokenizer))
    return made


def answer_logprob(model, tokenizer, task, n, query, answer):
    """log p of an answer turn, from nothing but the tokenizer's rendering of the whole conversation."""
    asked = messages(task, n, query)
    before = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": answer}])["input_ids"]
    assert whole[: len(before)] == before
    with torch.no_grad():
        logprobs = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(float(logprobs[i - 1, whole[i]]) for i in range(len(before), len(whole)))


@pytest.mark.parametrize("chat", ["system", "user"])
def test_labels_are_scored_as_the_answers_of_the_rendered_conversation(model, tokenizer, chat):
    task = chat_task(chat)
    primed = Reader(model, tokenizer).prime(task, task.train[:4])
    (answer,) = primed.answer(["green piano"], full=True)
    expected = {label: answer_logprob(model, tokenizer, task, 4, "green piano", label) for label in tiny.LABELS}
    assert answer.logprobs == pytest.approx(expected, abs=1e-4)


def test_generation_stops_where_the_rendered_turn_ends_and_keeps_lines(model, tokenizer, monkeypatch):
    task = tiny.copy_task()
    task = replace(task, template=as_chat(task.template, "system"))
    turn = tokenizer.apply_chat_template([{"role": "assistant", "content": "two\nlines"}], tokenize=False)

    def generated(row, prompts, tokenizer, *, stop, **rest):
        assert turn.rstrip().endswith(f"two\nlines{stop}")
        return [Generation(turn.split("assistant\n")[1].split(stop)[0], -1.0, 3, True) for _ in prompts]

    monkeypatch.setattr("manyshot.inference.primed.generate", generated)
    (answer,) = Reader(model, tokenizer).prime(task).answer(["a"], max_new_tokens=6)
    assert answer.output == "two\nlines"


def test_channel_scoring_of_a_conversation_is_refused(model, tokenizer):
    with pytest.raises(EvaluationError, match="channel scoring"):
        Reader(model, tokenizer).prime(chat_task("system"), scoring="channel")


def test_rows_without_headers_have_no_system_turn(tokenizer):
    rows = EpisodeDataset([chat_task("system")], tokenizer, EpisodeOptions(budget_tokens=200, header=False), n_rows=2)
    assert tokenizer.decode(rows.episode(0).ids.tolist()).startswith("<|im_start|>user\n")


def test_a_recipe_that_says_so_trains_and_evaluates_on_conversations(model, tokenizer, tmp_path):
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    for i in range(2):
        save_task(tiny.word_task(f"words{i}", n_train=20, n_test=4, seed=i), tmp_path / "suite" / f"words{i}")
    recipe = {
        "suite": {"path": str(tmp_path / "suite"), "leaks": "report", "chat": "system"},
        "model": {"path": str(tmp_path / "model")},
        "data": {"episodes": {"budget_tokens": 256}},
        "training": {"args": {"max_steps": 1, "save_steps": 1, "per_device_train_batch_size": 1}},
        "evaluation": {"tasks": ["words1"], "shots": [0, 2], "draws": 1, "limit": 2},
    }
    run = Run(make_recipe(recipe), tmp_path / "run")
    assert {task.template.chat for task in run.suite.load(run.suite.paths)} == {"system"}
    summary = run.execute()
    assert set(summary["methods"]) == {"base", "tuned"}
