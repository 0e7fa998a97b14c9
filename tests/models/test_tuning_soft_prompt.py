"""A soft prompt is read as the tokens that it is made of, in training only, and leaves no trace in the model."""

import pytest
import torch
from pydantic import ValidationError

from manyshot.errors import ModelError, RecipeError
from manyshot.models import TuningOptions, prepare_tuning, take_prompt
from manyshot.models.soft_prompt import attach_prompt, load_prompt, save_prompt
from manyshot.objectives import ObjectiveOptions
from manyshot.training import newest_complete
from tests import tiny
from tests.training.small import EXACT, assert_same, trainer, weights

WORDS = torch.tensor([50, 60, 70])
IDS = torch.tensor([[4, 8, 15, 16, 23], [42, 9, 9, 30, 31]])
KEEP = torch.tensor([[False, True, False, True, True], [True, False, False, False, True]])


def logits(model, ids, keep):
    return model(input_ids=ids, logits_to_keep=keep, use_cache=False).logits.reshape(len(keep.nonzero()), -1)


@pytest.mark.parametrize("preset", ["full", "lora"])
@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gpt_neox", "qwen3"])
def test_a_prompt_of_known_tokens_is_read_as_those_tokens(architecture, preset):
    model = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model.train()
    with torch.no_grad():
        spelled = torch.cat([WORDS.expand(2, -1), IDS], dim=1)
        expected = logits(model, spelled, torch.cat([torch.zeros(2, 3, dtype=torch.bool), KEEP], dim=1))
        without = logits(model.eval(), IDS, KEEP)
        attach_prompt(model, model.get_input_embeddings()(WORDS), moves=False)
        torch.testing.assert_close(logits(model.train(), IDS, KEEP), expected, rtol=0, atol=1e-6)
        # evaluation is without it
        assert torch.equal(logits(model.eval(), IDS, KEEP), without)


def test_the_first_stage_moves_the_prompt_alone_and_the_second_everything_but_the_prompt(tmp_path):
    model, fresh = tiny.model("llama"), weights(tiny.model("llama"))
    tuned = prepare_tuning(model, TuningOptions(preset="soft_prompt", soft_prompt_tokens=5))
    assert tuned.n_trained == 5 * 32
    begun = model.soft_prompt.detach().clone()
    trainer(model, tmp_path / "1", **EXACT, max_steps=2).train()
    prompt = take_prompt(model)
    assert prompt is not None
    assert (prompt.values != begun).any(-1).all()
    assert_same(weights(model), fresh)
    save_prompt(prompt.values, tmp_path)
    tuned = prepare_tuning(model, TuningOptions(soft_prompt_from=str(tmp_path)))
    trainer(model, tmp_path / "2", **EXACT, max_steps=2).train()
    assert torch.equal(model.soft_prompt, prompt.values)
    take_prompt(model)
    assert all((value != fresh[name]).any() for name, value in weights(model).items())


def test_a_model_whose_prompt_is_taken_is_as_before():
    model, before = tiny.model("llama"), tiny.model("llama").state_dict()
    attach_prompt(model, torch.zeros(4, 32), moves=True)
    take_prompt(model)
    assert take_prompt(model) is None
    assert_same(model.state_dict(), before)
    with torch.no_grad():
        assert torch.equal(logits(model.train(), IDS, KEEP), logits(tiny.model("llama"), IDS, KEEP))


def test_a_killed_first_stage_goes_on_with_its_prompt(tmp_path):
    def made(folder, steps):
        model = tiny.model("llama")
        prepare_tuning(model, TuningOptions(preset="soft_prompt", soft_prompt_tokens=5), seed=3)
        settings = {**EXACT, "optim": "adamw_torch", "save_strategy": "steps", "save_steps": 2}
        return model, trainer(model, folder, **settings, max_steps=steps)

    whole, run = made(tmp_path / "whole", 4)
    run.train()
    _, first = made(tmp_path / "cut", 4)
    first.args.max_steps = 2
    first.train()
    again, run = made(tmp_path / "cut", 4)
    run.train(resume_from_checkpoint=newest_complete(tmp_path / "cut")[0])
    assert torch.equal(again.soft_prompt, whole.soft_prompt)


def test_a_prompt_depends_on_its_seed_and_has_the_size_of_embeddings():
    def made(seed):
        model = tiny.model("gemma2")
        prepare_tuning(model, TuningOptions(preset="soft_prompt", soft_prompt_tokens=7), seed)
        return model.soft_prompt.detach()

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))
    with torch.no_grad():
        looked_up = tiny.model("gemma2").get_input_embeddings()(torch.arange(len(tiny.tokenizer()))).norm(dim=-1)
    assert all(looked_up.min() <= n <= looked_up.max() for n in made(1).norm(dim=-1).flatten())


def test_what_does_not_go_together_is_refused(tmp_path):
    with pytest.raises(ValidationError, match="give one of them"):
        TuningOptions(preset="soft_prompt", soft_prompt_from="prompt")
    with pytest.raises(ModelError, match=r"soft_prompt\.safetensors: no such file"):
        load_prompt(tmp_path)
    adapted = prepare_tuning(tiny.model("llama"), TuningOptions(preset="lora")).model
    with pytest.raises(ModelError, match="merge_and_unload"):
        prepare_tuning(adapted, TuningOptions(preset="soft_prompt"))
    with pytest.raises(ModelError, match=r"shape \(1, 3, 8\)"):
        attach_prompt(tiny.model("llama"), torch.zeros(3, 8), moves=True)
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="soft_prompt"))
    objective = ObjectiveOptions.model_validate({"preservation": {"kl_input": 1}})
    with pytest.raises(RecipeError, match="no soft prompt"):
        trainer(model, tmp_path, objective=objective, **EXACT)
