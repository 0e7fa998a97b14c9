"""Presets that move a part of the model: the right part, all of it, and nothing else, in fused matrices too."""

import copy

import pytest
import torch
from peft import PeftModel
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from manyshot.errors import ModelError
from manyshot.models import TuningOptions, prepare_tuning
from manyshot.models.parts import output_axis, projections
from tests import tiny

FUSED = {"phi3": "qkv_proj", "gpt_neox": "query_key_value", "gpt2": "c_attn"}
SEPARATE = ["llama", "mistral", "gemma2", "qwen3"]
# sizes of tests/tiny.py: hidden 32, 4 heads of 8; phi3 has 2 heads for keys and values
HEAD, N_HEADS, N_LAYERS = 8, 4, 2
IDS = torch.tensor([[4, 8, 15, 16, 23, 42, 7, 9]])


def value_rows(architecture):
    """Rows of the fused matrix that make the values, counted by hand."""
    if architecture == "phi3":
        return list(range(32 + 16, 32 + 32))
    if architecture == "gpt2":
        return list(range(64, 96))
    return [h * 3 * HEAD + 2 * HEAD + i for h in range(N_HEADS) for i in range(HEAD)]


def fused_weights(model, architecture):
    """Each layer's fused weight and bias with outputs along the first axis."""
    found = []
    for name, parameter in model.named_parameters():
        if f".{FUSED[architecture]}." in name and "lora" not in name:
            turn = architecture == "gpt2" and parameter.dim() == 2
            found.append((parameter.T if turn else parameter).detach().clone())
    return found


def recorded(model):
    """Query, key and value as the first layer's attention gets them."""
    seen = []

    def record(module, query, key, value, mask, **kwargs):
        seen.append((query.clone(), key.clone(), value.clone()))
        # what comes out does not matter here, and sdpa knows no soft-cap
        kwargs.pop("softcap", None)
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)

    AttentionInterface.register("recorded", record)
    model.set_attn_implementation("recorded")
    with torch.no_grad():
        model(IDS, use_cache=False)
    return dict(zip("qkv", seen[0], strict=True))


def step(model, *, weight_decay=0.1, n=3):
    """Train with AdamW, momentum and weight decay included."""
    moving = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=1e-2, weight_decay=weight_decay)
    for _ in range(n):
        model(IDS, labels=IDS, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("letter", ["q", "k", "v"])
@pytest.mark.parametrize("architecture", [*FUSED, *SEPARATE])
def test_what_is_called_query_key_or_value_is_what_attention_gets_as_such(architecture, letter):
    """The oracle is the model itself: change the part's outputs, and see which of its three inputs attention sees changed."""
    model = tiny.model(architecture)
    before = recorded(model)
    for part in projections(model, letter):
        outputs = torch.arange(part.n_outputs) if part.outputs is None else part.outputs
        with torch.no_grad():
            weight = part.module.weight.T if output_axis(part.module) else part.module.weight
            weight[outputs] += torch.randn(len(outputs), weight.shape[1])
    after = recorded(model)
    for name in "qkv":
        if name == letter:
            # every head and every channel of it
            assert (before[name] != after[name]).any(2).all(), name
        else:
            assert torch.equal(before[name], after[name]), name


@pytest.mark.parametrize("architecture", FUSED)
def test_the_three_parts_of_a_fused_matrix_are_all_of_it_and_do_not_overlap(architecture):
    model = tiny.model(architecture)
    parts = [projections(model, letter)[0] for letter in "qkv"]
    together = torch.cat([torch.as_tensor(part.outputs) for part in parts])
    assert together.sort().values.tolist() == list(range(parts[0].n_outputs))
    assert projections(model, "qkv")[0].outputs is None


@pytest.mark.parametrize("architecture", FUSED)
def test_value_only_moves_the_value_rows_of_a_fused_matrix_and_no_bit_of_the_others(architecture):
    model = tiny.model(architecture)
    before, start = fused_weights(model, architecture), copy.deepcopy(model.state_dict())
    tuned = prepare_tuning(model, TuningOptions(preset="value_only"))
    step(model)
    values = value_rows(architecture)
    others = [i for i in range(before[0].shape[0]) if i not in values]
    for was, now in zip(before, fused_weights(model, architecture), strict=True):
        assert torch.equal(was[others], now[others])
        assert (was[values] != now[values]).any(-1).all()
    elsewhere = [n for n, v in model.state_dict().items() if FUSED[architecture] not in n]
    assert all(torch.equal(start[n], model.state_dict()[n]) for n in elsewhere)
    per_value = sum(w[0].numel() for w in before) // N_LAYERS
    assert tuned.n_trained == N_LAYERS * len(values) * per_value


@pytest.mark.parametrize("preset", ["qk_only", "value_frozen"])
@pytest.mark.parametrize("architecture", FUSED)
def test_what_leaves_values_alone_moves_every_other_row_of_a_fused_matrix(architecture, preset):
    model = tiny.model(architecture)
    before = fused_weights(model, architecture)
    prepare_tuning(model, TuningOptions(preset=preset))
    step(model)
    values = value_rows(architecture)
    others = [i for i in range(before[0].shape[0]) if i not in values]
    for was, now in zip(before, fused_weights(model, architecture), strict=True):
        assert torch.equal(was[values], now[values])
        # a key's bias shifts all scores of a query alike, so its gradient is zero up to rounding; weight decay moves it
        assert (was[others] != now[others]).any(-1).all()


@pytest.mark.parametrize("architecture", FUSED)
def test_value_frozen_moves_everything_beside_the_fused_matrices_too(architecture):
    model = tiny.model(architecture)
    held = len(value_rows(architecture)) * sum(w[0].numel() for w in fused_weights(model, architecture))
    start = copy.deepcopy(model.state_dict())
    tuned = prepare_tuning(model, TuningOptions(preset="value_frozen"))
    step(model)
    elsewhere = [n for n, _ in model.named_parameters() if FUSED[architecture] not in n]
    assert not any(torch.equal(start[n], model.state_dict()[n]) for n in elsewhere)
    assert tuned.n_trained == tuned.n_parameters - held


def test_held_rows_survive_an_optimiser_that_moves_everything():
    """Muon and its like mix rows: a zero gradient alone holds nothing there."""

    class Drift(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter += 1

    model = tiny.model("gpt_neox")
    before = fused_weights(model, "gpt_neox")
    prepare_tuning(model, TuningOptions(preset="value_only"))
    Drift([p for p in model.parameters() if p.requires_grad]).step()
    values = value_rows("gpt_neox")
    held = [i for i in range(96) if i not in values]
    for was, now in zip(before, fused_weights(model, "gpt_neox"), strict=True):
        assert torch.equal(was[held], now[held])
        assert torch.equal(was[values] + 1, now[values])


def test_held_rows_do_not_count_in_the_norm_of_the_gradient():
    model = tiny.model("phi3")
    other = copy.deepcopy(model)
    prepare_tuning(model, TuningOptions(preset="value_only"))
    for one in (model, other):
        one(IDS, labels=IDS, use_cache=False).loss.backward()
    values = value_rows("phi3")
    for layer, whole in zip(model.model.layers, other.model.layers, strict=True):
        sliced, full = layer.self_attn.qkv_proj.weight.grad, whole.self_attn.qkv_proj.weight.grad
        assert torch.equal(sliced[values], full[values])
        assert sliced.norm() == full[values].norm()


@pytest.mark.parametrize("architecture", FUSED)
def test_value_lora_on_a_fused_matrix_changes_its_value_rows_alone(architecture, tmp_path):
    model = tiny.model(architecture)
    before = fused_weights(model, architecture)
    tuned = prepare_tuning(model, TuningOptions(preset="value_lora", lora={"r": 3}))
    step(tuned.model)
    tuned.model.save_pretrained(tmp_path)
    with torch.no_grad():
        expected = tuned.model.eval()(IDS).logits
        # plain PEFT, which knows nothing of rows, reads it
        loaded = PeftModel.from_pretrained(tiny.model(architecture), tmp_path).eval()
        assert torch.equal(loaded(IDS).logits, expected)
    merged = fused_weights(loaded.merge_and_unload(), architecture)
    values = value_rows(architecture)
    others = [i for i in range(before[0].shape[0]) if i not in values]
    for was, now in zip(before, merged, strict=True):
        assert torch.equal(was[others], now[others])
        if was.dim() == 2:
            assert (was[values] != now[values]).any(-1).all()
    n_inputs = before[0].shape[1]
    assert tuned.n_trained == N_LAYERS * 3 * (n_inputs + len(values))


@pytest.mark.parametrize(("field", "value"), [("use_dora", True), ("bias", "all"), ("init_lora_weights", "gaussian")])
def test_lora_fields_that_would_move_other_rows_of_a_fused_matrix_are_refused_by_name(field, value):
    with pytest.raises(ModelError, match=rf"tuning\.lora\.{field}.*phi3.*value_lora"):
        prepare_tuning(tiny.model("phi3"), TuningOptions(preset="value_lora", lora={field: value}))
    prepare_tuning(tiny.model("llama"), TuningOptions(preset="value_lora", lora={field: value}))


PARTS = {
    "qk_only": ["q_proj", "k_proj"],
    "qkv": ["q_proj", "k_proj", "v_proj"],
    "attention": ["self_attn"],
    "mlp": ["mlp"],
}


@pytest.mark.parametrize("preset", PARTS)
@pytest.mark.parametrize("architecture", SEPARATE)
def test_a_preset_moves_the_modules_of_its_name(architecture, preset):
    model = tiny.model(architecture)
    prepare_tuning(model, TuningOptions(preset=preset))
    words = {name: name.split(".") for name, _ in model.named_parameters()}
    meant = {name for name, parts in words.items() if any(part in parts for part in PARTS[preset])}
    assert {name for name, p in model.named_parameters() if p.requires_grad} == meant
    assert meant


@pytest.mark.parametrize("architecture", FUSED)
def test_whole_layers_move_where_the_matrix_is_fused(architecture):
    for preset, word in (
        ("attention", {"phi3": "self_attn", "gpt2": "attn"}.get(architecture, "attention")),
        ("mlp", "mlp"),
    ):
        model = tiny.model(architecture)
        prepare_tuning(model, TuningOptions.model_validate({"preset": preset}))
        moving = {name for name, p in model.named_parameters() if p.requires_grad}
        assert moving == {name for name, _ in model.named_parameters() if word in name.split(".")}


ADAPTED = {
    ("llama", "lora_qv"): ["self_attn.q_proj", "self_attn.v_proj"],
    ("llama", "mlp_lora"): ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"],
    ("qwen3", "attention_lora"): [f"self_attn.{n}_proj" for n in "qkvo"],
    ("gpt2", "attention_lora"): ["attn.c_attn", "attn.c_proj"],
    ("gpt2", "mlp_lora"): ["mlp.c_fc", "mlp.c_proj"],
    ("gpt_neox", "lora_qv"): ["attention.query_key_value"],
    ("phi3", "qkv_lora"): ["self_attn.qkv_proj"],
    ("gemma2", "qk_lora"): ["self_attn.q_proj", "self_attn.k_proj"],
}


@pytest.mark.parametrize(("architecture", "preset"), ADAPTED)
def test_adapters_stand_on_the_modules_of_the_preset(architecture, preset):
    model = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model
    base = model.get_base_model()
    adapted = {name for name, module in base.named_modules() if hasattr(module, "lora_B")}
    assert adapted
    assert all(any(name.endswith(f".{end}") for end in ADAPTED[architecture, preset]) for name in adapted)
    assert len(adapted) == N_LAYERS * len(ADAPTED[architecture, preset])
    # a file that names every layer of a large model is no recipe for another one
    assert len(model.peft_config["default"].target_modules) == len(ADAPTED[architecture, preset])


def test_the_low_forgetting_default_is_rank_16_alpha_32_dropout_5_percent():
    config = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora_qv")).model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout, config.target_modules) == (
        16,
        32,
        0.05,
        {"q_proj", "v_proj"},
    )


def test_target_modules_are_the_presets_own():
    with pytest.raises(ModelError, match="target_modules follows from the preset lora_qv"):
        prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora_qv", lora={"target_modules": ["k_proj"]}))


def test_adapters_depend_on_the_seed_and_on_nothing_drawn_before():
    def drawn(seed, waste):
        torch.rand(waste)
        state = torch.random.get_rng_state()
        model = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora"), seed).model
        assert torch.equal(torch.random.get_rng_state(), state)
        return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])

    assert torch.equal(drawn(3, 1), drawn(3, 5))
    assert not torch.equal(drawn(3, 1), drawn(4, 1))


@pytest.mark.parametrize("architecture", ["llama", "phi3", "gpt2"])
def test_an_adapter_is_gone_on_with_under_its_own_preset_and_no_other(architecture, tmp_path):
    first = prepare_tuning(tiny.model(architecture), TuningOptions(preset="value_lora"))
    step(first.model)
    first.model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(tiny.model(architecture), tmp_path, is_trainable=True)
    tuned = prepare_tuning(again, TuningOptions(preset="value_lora"))
    assert tuned.n_trained == first.n_trained
    step(tuned.model)
    if architecture in FUSED:
        before = fused_weights(tiny.model(architecture), architecture)
        others = [i for i in range(before[0].shape[0]) if i not in value_rows(architecture)]
        merged = fused_weights(tuned.model.merge_and_unload(), architecture)
        assert all(torch.equal(a[others], b[others]) for a, b in zip(before, merged, strict=True))
    other = PeftModel.from_pretrained(tiny.model(architecture), tmp_path, is_trainable=True)
    with pytest.raises(ModelError, match="merge_and_unload"):
        prepare_tuning(other, TuningOptions(preset="mlp_lora"))
