"""One soft prompt for each task: a row is read behind its own, and nothing but its rows moves a prompt."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from manyshot.errors import ModelError
from manyshot.models import TuningOptions, prepare_tuning, save_prompt, take_prompt
from manyshot.models.soft_prompt import FILE, ROW_TASKS, attach_prompt, load_prompt, new_prompt
from manyshot.objectives import ObjectiveOptions
from manyshot.training import EpisodeCollator, newest_complete
from tests import tiny
from tests.training.small import EXACT, rows, trainer

NAMES = ["words", "copy"]
IDS = torch.tensor([[4, 8, 15, 16, 23], [42, 9, 9, 30, 31], [7, 12, 50, 3, 60]])
KEEP = torch.tensor(
    [[False, True, False, True, True], [True, False, False, False, True], [True, True, False, False, False]]
)


def some_prompts(n_tasks=2, n_tokens=3, seed=0):
    return torch.randn(n_tasks, n_tokens, 32, generator=torch.Generator().manual_seed(seed))


def prompted():
    """A model with a prompt that moves for each of two tasks."""
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="soft_prompt", soft_prompt_tokens=5), seed=3, tasks=NAMES)
    return model


@pytest.mark.parametrize("preset", ["full", "lora"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_each_row_is_read_behind_its_own_prompt_and_a_row_of_no_task_behind_none(architecture, preset):
    model, prompts = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model, some_prompts()
    plain = tiny.model(architecture)
    numbers, expected = [1, -1, 0], []
    with torch.no_grad():
        for ids, keep, number in zip(IDS, KEEP, numbers, strict=True):
            before = [prompts[number]] if number >= 0 else []
            embeds = torch.cat([*before, plain.get_input_embeddings()(ids)])[None]
            expected.append(plain(inputs_embeds=embeds, use_cache=False).logits[0, -len(ids) :][keep])
        attach_prompt(model, prompts, moves=False, tasks=NAMES)
        # the hook acts in training mode; modules below draw no dropout
        model.eval().training = True
        found = model(input_ids=IDS, logits_to_keep=KEEP, use_cache=False, **{ROW_TASKS: torch.tensor(numbers)}).logits
    torch.testing.assert_close(found.reshape(-1, found.shape[-1]), torch.cat(expected), rtol=0, atol=1e-5)


def loss_of(model, numbers, folder):
    """The trainer's training loss of as many rows as there are numbers of tasks."""
    data = rows(40)
    chosen = [next(data[n] for n in range(i, 40) if data[n]["task"] == t) for i, t in enumerate(numbers)]
    made = trainer(model, folder, **EXACT)
    batch = EpisodeCollator(ObjectiveOptions())(chosen)
    assert batch["task"].tolist() == numbers
    n = made._get_num_items_in_batch([batch], torch.device("cpu"))
    return made.compute_loss(model.train(), batch, num_items_in_batch=n)


def test_rows_of_one_task_leave_the_other_prompts_gradient_zero(tmp_path):
    model = prompted()
    for numbers in ([0, 0, 0], [1], [0, 1]):
        model.zero_grad()
        loss_of(model, numbers, tmp_path).backward()
        for task in (0, 1):
            gradient = model.soft_prompt.grad[task]
            assert gradient.abs().sum() > 0 if task in numbers else (gradient == 0).all()


def test_general_rows_and_plain_text_are_of_no_task_to_the_prompts(tmp_path):
    data = rows(1)
    kinds = [data[0], {**data[0], "is_general": True}, {**data[0], "task": -1, "is_text": True}]
    batch = EpisodeCollator(ObjectiveOptions())(kinds)
    assert batch["task"].tolist() == [data[0]["task"], -1, -1]
    model = prompted()
    made = trainer(model, tmp_path, **EXACT)
    made.compute_loss(model.train(), EpisodeCollator(ObjectiveOptions())(kinds[1:])).backward()
    assert (model.soft_prompt.grad == 0).all()


class OnePromptOfOld:
    """A prompt (token, hidden) put before every row alike, written apart from the code that is tested."""

    def __init__(self, model, prompt):
        self.prompt = torch.nn.Parameter(prompt)
        model.requires_grad_(False).register_parameter("old", self.prompt)
        model.register_forward_pre_hook(self.put, with_kwargs=True)

    def put(self, model, args, kwargs):
        ids, keep = kwargs.pop("input_ids"), kwargs.pop("logits_to_keep")
        row = model.get_input_embeddings()(ids)
        kwargs["inputs_embeds"] = torch.cat([self.prompt.expand(len(ids), -1, -1), row], dim=1)
        return (), {**kwargs, "logits_to_keep": F.pad(keep, (len(self.prompt), 0), value=False)}


@pytest.mark.parametrize("tasks", [["words"], None])
def test_a_single_tasks_training_is_bit_for_bit_that_of_one_prompt_before_every_row(tasks, tmp_path):
    data = rows(24)
    data = [data[n] for n in range(24) if tasks is None or data[n]["task"] == 0]
    settings = {**EXACT, "optim": "adamw_torch", "weight_decay": 0.1, "learning_rate": 0.01, "max_steps": 3}
    settings |= {"per_device_train_batch_size": 5, "max_grad_norm": 1.0}
    model, old = tiny.model("llama"), tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="soft_prompt", soft_prompt_tokens=5), seed=3, tasks=tasks)
    drawn = torch.randint(len(tiny.tokenizer()), (5,), generator=torch.Generator().manual_seed(3))
    before = OnePromptOfOld(old, old.get_input_embeddings()(drawn).detach().clone())
    losses = []
    for one, name in ((model, "new"), (old, "old")):
        made = trainer(one, tmp_path / name, data=data, **settings)
        made.train()
        losses.append([(line["loss"], line["grad_norm"]) for line in made.state.log_history if "loss" in line])
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]
    assert torch.equal(model.soft_prompt, before.prompt[None])


def test_the_first_tasks_prompt_begins_alike_however_many_follow():
    model = tiny.model("gemma2")
    one, three = new_prompt(model, 20, seed=5), new_prompt(model, 20, seed=5, n_tasks=3)
    assert torch.equal(one[0], three[0])
    assert not torch.equal(three[0], three[1])


def test_prompts_are_stored_with_their_names_and_a_later_stage_picks_its_own(tmp_path):
    model, prompts = tiny.model("llama"), some_prompts(3)
    attach_prompt(model, prompts, moves=True, tasks=["a", "b", "c"])
    taken = take_prompt(model)
    assert taken is not None
    save_prompt(taken.values, tmp_path, taken.tasks)
    found = load_prompt(tmp_path)
    assert torch.equal(found.values, prompts)
    assert found.tasks == ("a", "b", "c")
    later = TuningOptions(soft_prompt_from=str(tmp_path))
    prepare_tuning(model, later, tasks=["c", "a"])
    assert torch.equal(model.soft_prompt, prompts[[2, 0]])
    with pytest.raises(ModelError, match=r'no soft prompt for task "d".*only for the 3 tasks') as raised:
        prepare_tuning(tiny.model("llama"), later, tasks=["a", "d"])
    assert "\n" not in str(raised.value)


def test_a_prompt_that_was_stored_without_tasks_is_that_of_any_task(tmp_path):
    prompt = some_prompts()[0]
    save_file({"soft_prompt": prompt}, tmp_path / FILE)
    found = load_prompt(tmp_path)
    assert torch.equal(found.values, prompt[None])
    assert found.tasks == ()
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(soft_prompt_from=str(tmp_path)), tasks=["x", "y"])
    assert torch.equal(model.soft_prompt, prompt[None])


def test_a_killed_first_stage_goes_on_with_all_its_prompts(tmp_path):
    def made(folder):
        model = prompted()
        settings = {**EXACT, "optim": "adamw_torch", "save_strategy": "steps", "save_steps": 2, "max_steps": 4}
        return model, trainer(model, folder, **settings)

    whole, run = made(tmp_path / "whole")
    begun = whole.soft_prompt.detach().clone()
    run.train()
    again, run = made(tmp_path / "cut")
    run.train(resume_from_checkpoint=tmp_path / "whole" / "checkpoint-2")
    assert newest_complete(tmp_path / "whole")[0].name == "checkpoint-4"
    assert (whole.soft_prompt != begun).any(-1).all()
    assert torch.equal(again.soft_prompt, whole.soft_prompt)
    saved = load_file(tmp_path / "whole" / "checkpoint-4" / "model.safetensors")
    assert torch.equal(saved["soft_prompt"], whole.soft_prompt)


def test_rows_that_do_not_say_their_task_are_refused_where_prompts_have_names(tmp_path):
    data = [{key: row[key] for key in ("input_ids", "labels")} for row in (rows(4)[n] for n in range(4))]
    with pytest.raises(ModelError, match="rows do not say which"):
        trainer(prompted(), tmp_path, data=data, **EXACT, max_steps=1).train()
    # two tasks of rows, and a prompt for one
    one = tiny.model("llama")
    prepare_tuning(one, TuningOptions(preset="soft_prompt"), tasks=["words"])
    with pytest.raises(ModelError, match="soft prompts for 1 tasks"):
        trainer(one, tmp_path, **EXACT, max_steps=2).train()


def test_a_prompt_for_no_task_is_refused():
    for fields in ({"preset": "soft_prompt"}, {"soft_prompt_from": "elsewhere"}):
        with pytest.raises(ModelError, match="the stage trains no task"):
            prepare_tuning(tiny.model("llama"), TuningOptions.model_validate(fields), tasks=[])
