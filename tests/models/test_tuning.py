"""Presets: what they move on each architecture, and what they refuse by name."""

import pytest
from pydantic import ValidationError

from manyshot.errors import ModelError
from manyshot.models import TuningOptions, prepare_tuning
from manyshot.models.options import OWNED_LORA
from tests import tiny

SEPARATE = ["llama", "mistral", "gemma2", "qwen3", "gemma3", "olmo2"]
FUSED = ["gpt2", "gpt_neox", "phi3"]
ALL = [*SEPARATE, *FUSED]


def requiring(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("architecture", ALL)
def test_full_moves_everything(architecture):
    model = tiny.model(architecture).requires_grad_(False)
    tuned = prepare_tuning(model, TuningOptions())
    assert requiring(model) == {name for name, _ in model.named_parameters()}
    assert tuned.n_trained == tuned.n_parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("architecture", SEPARATE)
def test_value_only_moves_the_value_projection_of_every_layer(architecture):
    model = tiny.model(architecture)
    tuned = prepare_tuning(model, TuningOptions(preset="value_only"))
    values = {name for name, _ in model.named_parameters() if name.endswith("self_attn.v_proj.weight")}
    assert requiring(model) == values
    assert len(values) == model.config.num_hidden_layers
    assert tuned.n_trained == sum(p.numel() for name, p in model.named_parameters() if name in values)


@pytest.mark.parametrize("architecture", SEPARATE)
def test_value_frozen_moves_everything_but_the_value_projections(architecture):
    model = tiny.model(architecture).requires_grad_(False)
    tuned = prepare_tuning(model, TuningOptions(preset="value_frozen"))
    values = {name for name, _ in model.named_parameters() if ".v_proj." in name}
    assert requiring(model) == {name for name, _ in model.named_parameters()} - values
    assert tuned.n_trained == tuned.n_parameters - sum(p.numel() for n, p in model.named_parameters() if n in values)


@pytest.mark.parametrize("architecture", ["mamba2", "bloom"])
@pytest.mark.parametrize("preset", ["value_only", "value_frozen", "qk_only", "value_lora", "attention"])
def test_a_part_that_cannot_be_told_apart_is_refused_by_name(architecture, preset):
    model = tiny.model(architecture)
    before = requiring(model)
    with pytest.raises(ModelError, match=rf"tuning\.preset {preset}: {architecture}: .*v_proj") as raised:
        prepare_tuning(model, TuningOptions(preset=preset))
    assert "\n" not in str(raised.value)
    assert requiring(model) == before


def test_mlp_is_refused_by_name_where_there_is_none():
    with pytest.raises(ModelError, match=r"tuning\.preset mlp: mamba2"):
        prepare_tuning(tiny.model("mamba2"), TuningOptions(preset="mlp"))


@pytest.mark.parametrize("architecture", ALL)
def test_lora_moves_only_adapters_and_leaves_the_function_as_it_was(architecture):
    import torch

    model, ids = tiny.model(architecture), torch.tensor([[4, 8, 15, 16, 23, 42]])
    with torch.no_grad():
        before = model(ids).logits
    tuned = prepare_tuning(model, TuningOptions(preset="lora"))
    assert requiring(tuned.model)
    assert all("lora_" in name for name in requiring(tuned.model))
    with torch.no_grad():
        assert torch.equal(tuned.model.eval()(ids).logits, before)


def test_lora_stands_on_every_linear_layer_but_the_head():
    import torch

    model = tiny.model("llama")
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)} - {"lm_head"}
    tuned = prepare_tuning(model, TuningOptions(preset="lora"))
    adapted = {
        name.removeprefix("base_model.model.").split(".lora_A")[0]
        for name, _ in tuned.model.named_parameters()
        if ".lora_A." in name
    }
    assert adapted == linear


def test_lora_fields_pass_through():
    fields = {"r": 3, "lora_alpha": 7, "target_modules": ["q_proj"], "lora_dropout": 0.1}
    tuned = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora", lora=fields))
    config = tuned.model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.target_modules, config.lora_dropout) == (3, 7, {"q_proj"}, 0.1)


def test_alpha_is_twice_the_rank_unless_given():
    tuned = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora", lora={"r": 5}))
    assert tuned.model.peft_config["default"].lora_alpha == 10


def test_an_unknown_lora_field_is_named_with_the_nearest():
    with pytest.raises(ModelError, match='no field "lora_alfa", did you mean "lora_alpha"'):
        prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora", lora={"lora_alfa": 8}))


@pytest.mark.parametrize("field", OWNED_LORA)
def test_a_lora_field_that_is_owned_is_refused_by_name(field):
    with pytest.raises(ValidationError, match=f'"{field}" is set by manyshot'):
        TuningOptions(preset="lora", lora={field: "x"})


def test_target_modules_that_the_model_does_not_have_are_one_line():
    with pytest.raises(ModelError, match="nothing_here") as raised:
        prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora", lora={"target_modules": ["nothing_here"]}))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("preset", ["full", "value_only"])
def test_lora_fields_without_the_preset_are_refused(preset):
    with pytest.raises(ModelError, match="set the preset to lora"):
        prepare_tuning(tiny.model("llama"), TuningOptions(preset=preset, lora={"r": 4}))


@pytest.mark.parametrize("preset", ["full", "value_only"])
def test_an_adapter_on_a_base_must_be_merged_before_the_base_moves(preset):
    wrapped = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora")).model
    with pytest.raises(ModelError, match="merge_and_unload"):
        prepare_tuning(wrapped, TuningOptions(preset=preset))


def test_new_lora_fields_for_an_adapter_that_exists_are_refused():
    wrapped = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora")).model
    with pytest.raises(ModelError, match="has an adapter already"):
        prepare_tuning(wrapped, TuningOptions(preset="lora", lora={"r": 4}))


def test_what_moves_is_said_in_numbers():
    tuned = prepare_tuning(tiny.model("llama"), TuningOptions(preset="value_only"))
    assert str(tuned).startswith(f"{tuned.n_trained:,} of {tuned.n_parameters:,} parameters move")
