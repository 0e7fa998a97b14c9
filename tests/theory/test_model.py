"""The shortcut prediction is the whole layer's, and the merged model is the separate one's."""

import torch

from manyshot.theory.data import Prompts, draw_prompts, draw_tasks, torch_generator
from manyshot.theory.model import Merged, attend, merge, predict, predict_prefixes, split_balanced
from tests.theory.conftest import random_task, skewed_setting


def model_of(dim):
    source = torch_generator(1, "model", dim)
    return Merged(torch.randn(dim, dim, generator=source), torch.randn(dim, generator=source))


def test_the_prediction_is_the_query_label_that_the_whole_layer_writes():
    setting = skewed_setting(4)
    prompts = draw_prompts(setting, random_task(4), 6, 3, torch_generator(0, "prompts"))
    model = model_of(setting.dim)
    value = torch.randn(setting.dim, setting.dim, generator=torch_generator(2, "value"))
    value[-1] = model.value
    tokens = torch.cat([prompts.context, prompts.query.unsqueeze(1)], dim=1)
    written = attend(tokens, model.query_key, value)[:, -1, -1]
    assert torch.allclose(predict(model, prompts), written, atol=1e-4)


def test_one_pass_over_prefixes_equals_separate_shorter_prompts():
    setting = skewed_setting(3)
    prompts = draw_prompts(setting, random_task(3), 5, 4, torch_generator(0, "prefixes"))
    model = model_of(setting.dim)
    together = predict_prefixes(model, prompts)
    for n in range(5):
        alone = predict(model, Prompts(prompts.context[:, :n], prompts.query, prompts.answer))
        assert torch.allclose(together[:, n], alone, atol=1e-5)


def test_the_balanced_split_predicts_the_same_with_factors_of_equal_size():
    model = model_of(6)
    split = split_balanced(model)
    assert torch.allclose(merge(split).query_key, model.query_key, atol=1e-5)
    assert torch.allclose(split.query.T @ split.query, split.key.T @ split.key, atol=1e-4)


def test_the_label_of_the_query_is_hidden_and_its_answer_kept():
    setting = skewed_setting(3, noise=0.0)
    theta = random_task(3)
    prompts = draw_prompts(setting, theta, 4, 2, torch_generator(0, "hidden"))
    assert prompts.query[:, -1].abs().max() == 0
    assert torch.allclose(prompts.answer, prompts.query[:, 1:-1] @ theta.float(), atol=1e-5)


def test_inputs_have_the_covariance_of_the_setting():
    setting = skewed_setting(3)
    prompts = draw_prompts(setting, random_task(3), 20_000, 2, torch_generator(0, "covariance"))
    x = prompts.context[:, :, 1:-1].reshape(-1, 3).double()
    assert torch.allclose(x.T @ x / len(x), setting.sigma, atol=0.05)


def test_tasks_of_pretraining_have_unit_norm():
    tasks = draw_tasks(skewed_setting(5), 100, torch_generator(0, "tasks"))
    assert torch.allclose(tasks.norm(dim=-1), torch.ones(100))
