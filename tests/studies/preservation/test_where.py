"""Which projections are put back, that the tuned model is itself again, and what the study says of it."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from manyshot.errors import ModelError
from manyshot.evaluation import EvaluationOptions
from manyshot.models.parts import projections
from manyshot.studies.preservation.where import (
    gradient_cosine,
    label_cosine,
    projection_changes,
    restorations,
    shuffled_labels,
    weight_changes,
    where_it_lives,
)
from tests import tiny

IDS = torch.tensor([[4, 8, 15, 16, 23, 42]])


def pair(architecture):
    return tiny.model(architecture, seed=1), tiny.model(architecture, seed=0)


def logits(model):
    with torch.no_grad():
        return model(IDS, use_cache=False).logits


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "phi3", "gpt_neox", "gpt2"])
def test_all_layers_put_back_are_a_model_with_the_bases_projections(architecture):
    """Oracle: copy the state of every attention module but its norms by name."""
    tuned, base = pair(architecture)
    before, theirs = copy.deepcopy(tuned.state_dict()), base.state_dict()
    words = {"gpt2": ["attn.c_"], "gpt_neox": ["attention.query_key_value", "attention.dense"]}.get(
        architecture, ["_proj"]
    )
    expected = {
        name: theirs[name] if any(w in name for w in words) and "mlp" not in name else value
        for name, value in before.items()
    }
    for layer, _, model in restorations(tuned, base, ["qkvo"]):
        if layer == -1:
            assert all(torch.equal(model.state_dict()[name], value) for name, value in expected.items())
        else:
            changed = [n for n, v in model.state_dict().items() if not torch.equal(v, before[n])]
            assert changed
            assert all(f".{layer}." in name for name in changed)
    assert all(torch.equal(tuned.state_dict()[name], value) for name, value in before.items())


def test_each_projection_of_each_layer_is_put_back_alone():
    tuned, base = pair("gpt_neox")
    seen = {(layer, letters): logits(model) for layer, letters, model in restorations(tuned, base)}
    assert set(seen) == {(layer, letters) for layer in (-1, 0, 1) for letters in ("q", "k", "v", "o", "qkvo")}
    # at the last token: the first one attends to itself alone, whatever query and key are
    distinct = {tuple(value[0, -1].tolist()) for value in [*seen.values(), logits(tuned)]}
    assert len(distinct) == len(seen) + 1


def test_a_reader_that_stops_early_gets_the_tuned_model_back():
    tuned, base = pair("llama")
    before = logits(tuned)
    steps = restorations(tuned, base)
    next(steps)
    assert not torch.equal(logits(tuned), before)
    steps.close()
    assert torch.equal(logits(tuned), before)


def test_the_change_of_a_matrix_is_relative_to_its_size():
    tuned, base = pair("llama")[1], pair("llama")[1]
    with torch.no_grad():
        for part in projections(tuned, "v"):
            part.module.weight *= 1.25
    changes = weight_changes(tuned, base)
    for name, change in changes.items():
        assert change == pytest.approx(0.25 if "v_proj" in name else 0, abs=1e-6)
    assert not any("norm" in name for name in changes)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox", "gpt2"])
def test_the_change_of_a_part_is_that_of_its_own_rows(architecture):
    tuned, base = pair(architecture)[1], pair(architecture)[1]
    with torch.no_grad():
        for part in projections(tuned, "v"):
            weight = part.module.weight if architecture != "gpt2" else part.module.weight.T
            weight[slice(None) if part.outputs is None else part.outputs] *= 0.5
    changes = projection_changes(tuned, base)
    assert changes == {"q": [0, 0], "k": [0, 0], "v": pytest.approx([0.5, 0.5]), "o": [0, 0]}


def test_models_of_other_shapes_are_refused():
    with pytest.raises(ModelError, match="merge_and_unload"):
        weight_changes(tiny.model("llama"), tiny.model("gpt2"))


def test_the_cosine_is_one_with_itself_minus_one_with_its_opposite_and_between_otherwise():
    model = tiny.model("llama")

    def loss(targets, sign=1.0):
        return lambda m: sign * F.cross_entropy(m(IDS, use_cache=False).logits[0, :-1], targets)

    own, other = IDS[0, 1:], torch.tensor([9, 9, 30, 31, 5])
    assert gradient_cosine(model, loss(own), loss(own)) == pytest.approx(1, abs=1e-6)
    assert gradient_cosine(model, loss(own), loss(own, -3.0)) == pytest.approx(-1, abs=1e-6)
    assert -0.99 < gradient_cosine(model, loss(own), loss(other)) < 0.99


def test_shuffled_labels_are_the_same_answers_to_other_inputs():
    task = tiny.word_task()
    shuffled = shuffled_labels(task, 0)
    assert [e.input for e in shuffled.train] == [e.input for e in task.train]
    assert sorted(e.output for e in shuffled.train) == sorted(e.output for e in task.train)
    same = sum(a.output == b.output for a, b in zip(task.train, shuffled.train, strict=True))
    assert same < 0.7 * len(task.train)
    assert shuffled.test == task.test


def test_what_was_moved_alone_brings_everything_back(tmp_path):
    """Oracle: a tuned model that is the base but for its values, so that the base's values make it the base again."""
    for name in ("base", "tuned"):
        model = tiny.model("llama")
        if name == "tuned":
            with torch.no_grad():
                for part in projections(model, "v"):
                    part.module.weight.copy_(torch.randn_like(part.module.weight) * 3)
        model.save_pretrained(tmp_path / name)
        tiny.tokenizer().save_pretrained(tmp_path / name)
    task = tiny.word_task(n_test=8)
    options = EvaluationOptions(shots=[0, 2], draws=1)
    found = where_it_lives(tmp_path / "tuned", str(tmp_path / "base"), [task], task, options)
    assert set(found["restored"]) == {"q", "k", "v", "o", "qkvo"}
    for letters, layers in found["restored"].items():
        assert layers["all"]["a"] == (found["base"] if "v" in letters else found["tuned"])
    assert all(change > 0 for change in found["projection_changes"]["v"])
    assert found["projection_changes"]["q"] == [0, 0]
    assert all("v_proj" in name for name, change in found["matrix_changes"].items() if change > 0)


def test_gradients_of_other_labels_differ_and_those_of_the_same_do_not():
    model, tokenizer, task = tiny.model("llama"), tiny.tokenizer(), tiny.word_task()
    assert -1 < label_cosine(model, tokenizer, task) < 1 - 1e-3
    same = replace(task, train=[task.train[0]] * 20)
    # shuffling equal rows changes nothing
    assert label_cosine(model, tokenizer, same) > 1 - 1e-5
