"""Best-first label search must return what scoring every label returns, and read no node that cannot win."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.errors import EvaluationError
from manyshot.inference import ROOT, Chain, Prefix, Reader, build_trie, choose_labels
from manyshot.tasks import Example
from tests import tiny
from tests.episodes.tokenizers import marks_with_line_ends

labels_strategy = st.lists(
    st.lists(st.integers(2, 9), min_size=1, max_size=4).map(tuple), min_size=2, max_size=12, unique=True
)


class TableRow:
    """A row whose next-token distribution is a fixed random function of the path, for searching without a model."""

    def __init__(self, seed: int, sharpness: float) -> None:
        self.paths, self.seed, self.sharpness = [], seed, sharpness

    def logits(self, path):
        return torch.tensor(np.random.default_rng([self.seed, *path]).normal(size=12) * self.sharpness)

    def append(self, chains, *, every=False):
        ends, out = [], []
        for chain in chains:
            before = () if chain.parent == ROOT else self.paths[chain.parent]
            self.paths.append((*before, *map(int, chain.ids)))
            ends.append(len(self.paths) - 1)
            out.append(self.logits(self.paths[-1]))
        return ends, torch.stack(out)

    def logprob(self, prompt, label):
        path, total = tuple(prompt), 0.0
        for token in label:
            total += float(torch.log_softmax(self.logits(path).float(), -1)[token])
            path = (*path, token)
        return total


def score(logprob, label, scoring, offset):
    return {"raw": logprob, "normalised": logprob / len(label), "calibrated": logprob + offset}[scoring]


@settings(deadline=None, max_examples=150)
@given(labels_strategy, st.integers(0, 1000), st.floats(0.1, 6), st.sampled_from(["raw", "normalised", "calibrated"]))
def test_the_winner_is_the_best_of_all_labels(labels, seed, sharpness, scoring):
    row, prompts = TableRow(seed, sharpness), [np.array([3, 4]), np.array([5])]
    offsets = np.random.default_rng(seed).normal(size=len(labels)).tolist()
    choices = choose_labels(row, prompts, build_trie(labels), scoring=scoring, offsets=offsets)
    for prompt, choice in zip(prompts, choices, strict=True):
        every = [score(row.logprob(prompt, y), y, scoring, o) for y, o in zip(labels, offsets, strict=True)]
        assert choice.score == pytest.approx(max(every), abs=1e-5)
        assert every[choice.label] == pytest.approx(max(every), abs=1e-5)
        assert choice.n_nodes == choice.n_needed


@settings(deadline=None, max_examples=50)
@given(labels_strategy, st.integers(0, 1000))
def test_the_full_distribution_holds_every_label(labels, seed):
    row = TableRow(seed, 1.0)
    choice = choose_labels(row, [np.array([3])], build_trie(labels), full=True)[0]
    assert choice.logprobs == pytest.approx([row.logprob([3], y) for y in labels], abs=1e-5)


def test_search_on_a_model_equals_scoring_each_label_alone():
    model = tiny.model("qwen3")
    rng = np.random.default_rng(0)
    labels = [tuple(rng.integers(2, 300, n)) for n in (1, 3, 2, 2, 4)]
    prompts = [rng.integers(2, 300, n) for n in (7, 3)]
    prefix = Prefix(model)
    prefix.extend(rng.integers(2, 300, 40))
    with prefix.branch() as row:
        found = choose_labels(row, prompts, build_trie(labels), full=True)
    for prompt, choice in zip(prompts, found, strict=True):
        for label, logprob in zip(labels, choice.logprobs, strict=True):
            ids = torch.as_tensor(np.concatenate([prefix.ids, prompt, label]).astype(np.int64))[None]
            with torch.inference_mode():
                steps = torch.log_softmax(model(ids).logits[0].float(), -1)
            n = len(label)
            expected = steps[-n - 1 : -1].gather(1, ids[0, -n:, None]).sum().item()
            assert logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("end", [".", ")", "?"])
def test_labels_that_share_a_token_with_the_stop_text_score_as_in_the_whole_text(end):
    model, tokenizer, task = tiny.model("qwen3"), marks_with_line_ends(), tiny.word_task()
    assert len(tokenizer) <= model.config.vocab_size
    labels = (f"north{end}", "north", f"north{end} side{end}")
    new = dict(zip(tiny.LABELS, labels, strict=True))
    train = [Example(e.input, new[e.output]) for e in task.train]
    task = replace(task, labels=labels, train=train, test=())
    primed = Reader(model, tokenizer, cached=True).prime(task, train[:5])
    (kept,) = primed.answer(["green piano"], full=True)
    (fresh,) = primed.without_cache().answer(["green piano"], full=True)
    assert kept.logprobs == pytest.approx(fresh.logprobs, abs=1e-4)
    t = task.template
    shown = "".join(t.render_prompt(e.input) + t.render_answer(e.output) + t.stop for e in train[:5])
    before = tokenizer(t.render_header(task.instruction) + shown + t.render_prompt("green piano"))["input_ids"]
    for label in labels:
        whole = tokenizer(tokenizer.decode(before) + t.render_answer(label) + t.stop)["input_ids"]
        assert whole[: len(before)] == before
        with torch.inference_mode():
            steps = torch.log_softmax(model(torch.tensor([whole])).logits[0].float(), -1)
        expected = sum(float(steps[i - 1, whole[i]]) for i in range(len(before), len(whole)))
        assert kept.logprobs[label] == pytest.approx(expected, abs=1e-4)
    assert kept.output == max(labels, key=kept.logprobs.__getitem__)


def test_fewer_nodes_are_read_than_there_are():
    labels = [(a, b, c) for a in (2, 3, 4) for b in (5, 6) for c in (7, 8)]
    choice = choose_labels(TableRow(1, 8.0), [np.array([3])], build_trie(labels))[0]
    assert choice.n_nodes < 9


def test_labels_of_the_same_tokens_are_refused():
    with pytest.raises(EvaluationError, match="same tokens"):
        build_trie([(1, 2), (1, 2)])


def test_a_chain_of_several_tokens_keeps_every_logit_when_asked():
    prefix = Prefix(tiny.model("llama"))
    prefix.extend(np.array([3, 4, 5]))
    with prefix.branch() as row:
        _, logits = row.append([Chain(ROOT, np.array([6, 7])), Chain(ROOT, np.array([8]))], every=True)
    assert logits.shape[0] == 3
