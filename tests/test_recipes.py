"""Every recipe that is shipped loads; those for large models train a tiny one of the architecture with their own options."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from manyshot.files import read_json, read_lines, write_json
from manyshot.recipe import load_recipe
from manyshot.run import Run
from manyshot.tasks import save_task
from manyshot.training import make_arguments
from tests import tiny

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
# recipes of manyshot.pretraining, with options of its own
PRETRAINING = {"tiny", "real_cpu_base"}
_LLAMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
# recipe -> model_type, a tiny config, the tokens that its model was made for
LARGE: dict[str, tuple[str, dict[str, Any], int]] = {
    "mistral_7b": ("mistral", {**_LLAMA, "head_dim": 8, "sliding_window": None}, 32768),
    "gemma_7b": ("gemma", {**_LLAMA, "num_key_value_heads": 4, "head_dim": 16}, 8192),
    "llama3_8b": (
        "llama",
        {
            **_LLAMA,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 256,
            },
        },
        131072,
    ),
    "qwen_0.5b_16gb": ("qwen2", {**_LLAMA, "tie_word_embeddings": True}, 32768),
}


def test_every_recipe_for_a_model_of_the_hub_is_tried_here():
    shipped = [place.stem for place in RECIPES.glob("*.yaml") if place.stem not in PRETRAINING]
    paths = {name: load_recipe(RECIPES / f"{name}.yaml").model.path for name in shipped}
    assert {name for name, path in paths.items() if path and not Path(path).is_absolute()} == set(LARGE)


@pytest.mark.parametrize("place", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_loads_and_its_arguments_can_be_made(place, tmp_path):
    if place.stem in PRETRAINING:
        pytest.skip("a recipe of manyshot.pretraining; its tests are there")
    for stage in load_recipe(place).stages:
        make_arguments(stage.training, tmp_path, 0)


@pytest.mark.parametrize("name", LARGE)
def test_rows_are_no_longer_than_the_model_was_made_for(name):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert all(stage.data.episodes.budget_tokens <= LARGE[name][2] for stage in recipe.stages)


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("suite")
    save_task(tiny.word_task("seen", n_train=40, n_test=4), root / "seen")
    save_task(tiny.copy_task("copied", n_train=40, n_test=4), root / "copied")
    save_task(tiny.word_task("held", n_train=40, n_test=4, seed=7), root / "held")
    write_json(root / "suite.json", {"train": ["seen", "copied"], "held_out": ["held"]})
    (root / "text.txt").write_text("A green river runs by the winter garden.\n\n" * 40)
    return root


def tiny_model(architecture: str, fields: dict[str, Any], folder: Path) -> Path:
    """Save a random model of an architecture that is known to be right for `tests.tiny`'s tokenizer."""
    ends = {"pad_token_id": 1, "bos_token_id": None, "eos_token_id": 0}
    config = AutoConfig.for_model(
        architecture, vocab_size=len(tiny.tokenizer()), max_position_embeddings=1024, **{**ends, **fields}
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", LARGE)
def test_a_recipe_for_a_large_model_trains_a_tiny_one_of_its_architecture(name, suite, tmp_path):
    """Its own options but for the length of rows, the number of steps and how much is judged."""
    architecture, fields, _ = LARGE[name]
    start = tiny_model(architecture, fields, tmp_path / "start")
    changes = [
        f"suite.path={suite}",
        f"model.path={start}",
        "data.episodes.budget_tokens=192",
        "training.args.max_steps=2",
        "training.args.gradient_accumulation_steps=2",
        "training.args.logging_steps=1",
        "evaluation.shots=[0, 2]",
        "evaluation.draws=1",
        "evaluation.limit=2",
        f"evaluation_text.path={suite / 'text.txt'}",
        "evaluation_text.max_bytes=1000",
    ]
    recipe = load_recipe(RECIPES / f"{name}.yaml", changes)
    summary = Run(recipe, tmp_path / "run").execute()
    losses = [row["loss"] for _, row in read_lines(tmp_path / "run" / "metrics.jsonl") if "loss" in row]
    assert len(losses) == 2
    assert all(0 < loss < 20 for loss in losses)
    assert summary["methods"]["tuned"]["supervised_answers"] > 4
    assert set(summary["methods"]["tuned"]["held_out"]) == {"0", "2"}
    assert moved(name, start, tmp_path / "run" / "model")


def moved(name: str, start: Path, model: Path) -> bool:
    """Tell whether training reached the weights: adapters begin at zero, a full update changes what was there."""
    if recipe_tunes_adapters(name):
        assert (
            read_json(model / "adapter_config.json")["r"]
            == load_recipe(RECIPES / f"{name}.yaml").stages[0].tuning.lora["r"]
        )
        saved = load_file(model / "adapter_model.safetensors")
        return all(tensor.abs().max() > 0 for key, tensor in saved.items() if "lora_B" in key)
    before, after = (load_file(folder / "model.safetensors") for folder in (start, model))
    return all(not torch.equal(before[key], after[key]) for key in before)


def recipe_tunes_adapters(name: str) -> bool:
    return load_recipe(RECIPES / f"{name}.yaml").stages[0].tuning.preset == "lora"
