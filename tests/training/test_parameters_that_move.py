"""After steps of training, what the tuning preset names has changed and nothing else has."""

import torch

from manyshot.models import TuningOptions, prepare_tuning
from tests import tiny
from tests.training.small import EXACT, trainer, weights


def moved(model, before):
    return {name for name, value in weights(model).items() if not torch.equal(value, before[name])}


def trained(model, tmp_path, steps=2):
    before = weights(model)
    trainer(model, tmp_path, **EXACT, max_steps=steps).train()
    return before


def test_lora_trains_only_adapter_parameters(tmp_path):
    model = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora", lora={"r": 4})).model
    before = trained(model, tmp_path)
    adapters = {name for name in before if "lora_" in name}
    assert adapters
    assert moved(model, before) == adapters


def test_value_only_changes_only_value_projections(tmp_path):
    model = tiny.model("qwen3")
    prepare_tuning(model, TuningOptions(preset="value_only"))
    before = trained(model, tmp_path)
    values = {name for name in before if "v_proj" in name}
    assert len(values) == model.config.num_hidden_layers
    assert moved(model, before) == values


def test_full_changes_every_parameter(tmp_path):
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="full"))
    before = trained(model, tmp_path)
    assert moved(model, before) == before.keys()


def test_weight_decay_leaves_frozen_parameters_alone(tmp_path):
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="value_only"))
    before = weights(model)
    settings = {**EXACT, "optim": "adamw_torch", "weight_decay": 0.1, "learning_rate": 1e-2}
    trainer(model, tmp_path, **settings, max_steps=2).train()
    assert moved(model, before) == {name for name in before if "v_proj" in name}


def test_the_loss_falls_on_rows_seen_again_and_again(tmp_path):
    from tests.training.small import rows

    data = rows(4)
    settings = {**EXACT, "optim": "adamw_torch", "learning_rate": 3e-3}
    made = trainer(tiny.model("llama"), tmp_path, data=[data[n] for n in range(4)], **settings, max_steps=15)
    made.train()
    losses = [line["loss"] for line in made.state.log_history if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]
