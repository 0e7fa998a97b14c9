"""Loading: what cannot be loaded is one line with place and next step; what is loaded computes what was saved."""

import json

import pytest
import torch

from manyshot.errors import ModelError
from manyshot.models import ModelOptions, TuningOptions, context_window, count_parameters, load_model, prepare_tuning
from tests import tiny

IDS = torch.tensor([[5, 9, 33, 120, 7, 8]])


def save(model, folder):
    model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return save(tiny.model("llama"), tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, plain):
    """A PEFT folder whose adapter does something."""
    folder = tmp_path_factory.mktemp("adapter") / "model"
    model = prepare_tuning(load_model(plain).model, TuningOptions(preset="lora", lora={"r": 4})).model
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    return save(model, folder), logits(model)


def logits(model):
    with torch.no_grad():
        return model.eval()(IDS.to(model.device)).logits.cpu()


def refusal(options):
    with pytest.raises(ModelError) as raised:
        load_model(options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_missing_folder_is_named_with_the_next_step(tmp_path):
    said = refusal(tmp_path / "absent")
    assert said.startswith(f"{tmp_path / 'absent'}: no such folder")
    assert "give" in said


def test_a_folder_without_a_model_is_named_with_the_next_step(tmp_path):
    said = refusal(tmp_path)
    assert said.startswith(f"{tmp_path}: no model here")
    assert "config.json" in said
    assert "save_pretrained" in said


def test_a_hub_name_without_network_is_named_with_the_reason_and_the_next_step(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = refusal("nobody/no-such-model")
    assert '"nobody/no-such-model"' in said
    assert "HF_HUB_OFFLINE" in said
    assert "give the folder of a downloaded model" in said


def test_options_without_a_path_are_refused():
    options = ModelOptions.model_validate({"scratch": {}})
    assert "model.path" in refusal(options)


def test_a_folder_of_pickled_weights_is_not_read(plain, tmp_path):
    folder = tmp_path / "pickled"
    tiny.tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text((plain / "config.json").read_text())
    torch.save(tiny.model("llama").state_dict(), folder / "pytorch_model.bin")
    assert str(folder) in refusal(folder)


def test_a_pickled_adapter_is_not_read(adapter, tmp_path):
    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "adapter_config.json").write_text((adapter[0] / "adapter_config.json").read_text())
    torch.save(load_file(adapter[0] / "adapter_model.safetensors"), folder / "adapter_model.bin")
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_truncated_file_is_one_line_that_names_the_folder(file, plain, tmp_path):
    import shutil

    folder = tmp_path / "torn"
    shutil.copytree(plain, folder)
    data = (folder / file).read_bytes()
    (folder / file).write_bytes(data[: len(data) // 2])
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_broken_adapter_config_is_one_line_that_names_the_folder(content, tmp_path):
    (tmp_path / "adapter_config.json").write_text(content)
    assert str(tmp_path) in refusal(tmp_path)


def test_an_adapter_whose_base_is_gone_names_the_base(adapter, tmp_path):
    config = json.loads((adapter[0] / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": str(tmp_path / "gone")})
    )
    (tmp_path / "adapter_model.safetensors").write_bytes((adapter[0] / "adapter_model.safetensors").read_bytes())
    assert str(tmp_path / "gone") in refusal(tmp_path)


def test_a_folder_computes_what_was_saved(plain):
    loaded = load_model(plain)
    assert torch.equal(logits(loaded.model), logits(tiny.model("llama")))
    assert loaded.tokenizer("apple river").input_ids == tiny.tokenizer()("apple river").input_ids
    assert not loaded.model.training


def test_an_adapter_folder_computes_what_was_saved(adapter):
    folder, expected = adapter
    loaded = load_model(folder)
    torch.testing.assert_close(logits(loaded.model), expected, atol=1e-6, rtol=1e-6)


def test_a_loaded_adapter_can_be_switched_off(adapter, plain):
    model = load_model(adapter[0]).model
    with model.disable_adapter():
        off = logits(model)
    assert torch.equal(off, logits(load_model(plain).model))
    assert not torch.allclose(logits(model), off)


def test_a_loaded_adapter_goes_on_training_where_it_stopped(adapter):
    model = load_model(adapter[0]).model
    tuned = prepare_tuning(model, TuningOptions(preset="lora"))
    assert tuned.model is model
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)


def test_an_adapter_folder_without_a_tokenizer_takes_its_bases(adapter, tmp_path):
    import shutil

    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(adapter[0] / name, folder)
    assert load_model(folder).tokenizer.get_vocab() == tiny.tokenizer().get_vocab()


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto is another dtype there")
def test_a_model_stored_in_half_precision_is_float32_on_a_cpu(tmp_path):
    save(tiny.model("llama").to(torch.bfloat16), tmp_path / "half")
    assert load_model(tmp_path / "half").model.dtype == torch.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_asked_for_is_the_dtype_loaded(dtype, plain):
    model = load_model(ModelOptions(path=str(plain), dtype=dtype)).model
    assert {p.dtype for p in model.parameters()} == {getattr(torch, dtype)}


def test_the_attention_asked_for_is_the_attention_loaded_and_said(plain):
    loaded = load_model(ModelOptions(path=str(plain), attn_implementation="eager"))
    assert loaded.model.config._attn_implementation == "eager"
    assert "attention eager" in loaded.notes[0]


def test_code_that_comes_with_a_model_is_not_run_unless_asked_for(tmp_path, plain):
    """The model's own code would write a file; the refusal comes first."""
    assert ModelOptions(path="x").trust_remote_code is False
    folder, witness = tmp_path / "foreign", tmp_path / "ran"
    folder.mkdir()
    tiny.tokenizer().save_pretrained(folder)
    config = {
        "model_type": "stranger",
        "auto_map": {"AutoConfig": "code.StrangerConfig", "AutoModelForCausalLM": "code.Stranger"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(witness)!r}, 'w').close()\n")
    said = refusal(folder)
    assert str(folder) in said
    assert not witness.exists()


def test_shared_parameters_are_counted_once():
    model = tiny.model("gpt2")
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    distinct = {id(p): p.numel() for p in model.parameters()}
    assert count_parameters(model) == sum(distinct.values())


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gpt_neox", "mistral"])
def test_the_context_window_is_read_off_every_architecture(architecture):
    assert context_window(tiny.model(architecture)) == 1024


def test_a_model_without_a_window_has_none():
    assert context_window(tiny.model("bloom")) is None


def test_a_real_model_loads_and_tells_a_story(shared):
    loaded = load_model(shared / "models" / "stories260K")
    assert 240_000 < count_parameters(loaded.model) < 280_000
    assert context_window(loaded.model) == 512
    ids = loaded.tokenizer("Once upon a time, there was a little girl named", return_tensors="pt").input_ids
    with torch.no_grad():
        logprobs = loaded.model(ids).logits[0, :-1].log_softmax(-1)
    nll = -logprobs.gather(1, ids[0, 1:, None]).mean().item()
    assert nll < 1.5  # about 6.2 for a model that knows nothing
