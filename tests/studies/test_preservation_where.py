from dataclasses import replace

import torch

from manyshot.evaluation import EvaluationOptions
from manyshot.models.parts import projections
from manyshot.studies.preservation_where import label_cosine, where_it_lives
from tests import tiny


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
    assert all("v_proj" in name for name, change in found["most_changed"].items() if change > 0)


def test_gradients_of_other_labels_differ_and_those_of_the_same_do_not():
    model, tokenizer, task = tiny.model("llama"), tiny.tokenizer(), tiny.word_task()
    assert -1 < label_cosine(model, tokenizer, task) < 1 - 1e-3
    same = replace(task, train=[task.train[0]] * 20)
    # shuffling equal rows changes nothing
    assert label_cosine(model, tokenizer, same) > 1 - 1e-5
