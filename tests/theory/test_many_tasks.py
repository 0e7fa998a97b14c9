"""What the few-shot loss over many tasks picks: each derived statement against exact moments or sampling."""

import pytest
import torch

from manyshot.errors import TheoryError
from manyshot.theory.axial import axial_model, axial_parameters, best_axial
from manyshot.theory.closed_forms import (
    best_pretraining_scale,
    best_weight,
    error_joined,
    error_pretrained,
    error_value,
)
from manyshot.theory.data import draw_inputs, label, torch_generator
from manyshot.theory.many_tasks import (
    error_two_heads,
    many_task_weight,
    one_head_price,
    two_head_models,
    weight_regret,
)
from manyshot.theory.model import Merged, predict_prefixes
from manyshot.theory.optima import joined_model, value_model
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import make_setting
from tests.theory.conftest import random_task, skewed_setting


def test_many_tasks_pick_the_pretrained_weight_and_the_midpoint(published):
    w = float(many_task_weight(published, published.m))
    ends = [float(best_weight(published, published.m, t)) for t in (published.theta_0, published.foreign)]
    assert w == pytest.approx(best_pretraining_scale(published), abs=1e-12)
    assert w == pytest.approx(sum(ends) / 2, abs=1e-12)


def test_the_loss_over_many_tasks_has_no_gradient_by_w_there_for_general_sigma():
    setting = skewed_setting(4)
    value = value_model(setting, float(many_task_weight(setting, 9))).value.requires_grad_()
    model = Merged(value_model(setting, 0.0).query_key, value)
    (gradient,) = torch.autograd.grad(average_error(setting, model, 9)[0], value)
    assert gradient[-1].abs() < 1e-12


@pytest.mark.parametrize("n", [1, 20, 500])
def test_target_and_foreign_task_pay_the_same_regret(published, n):
    w = float(many_task_weight(published, n))
    for theta in (published.theta_0, published.foreign):
        best = float(best_weight(published, n, theta))
        paid = error_value(published, n, theta, w) - error_value(published, n, theta, best)
        assert float(paid) == pytest.approx(float(weight_regret(published, n)), rel=1e-9)


def test_the_regret_does_not_vanish_with_shots(published):
    assert float(weight_regret(published, 10**9)) == pytest.approx(1 / (published.d + 4) ** 2, rel=1e-6)


def test_in_the_joined_family_all_tasks_average_to_target_and_its_opposite(published):
    numbers = {"k": 0.4, "a": 0.7, "beta": 0.3, "omega": 0.9}
    pair = error_joined(published, 20, torch.stack([published.theta_0, published.foreign]), **numbers)
    assert float(pair.mean()) == pytest.approx(float(average_error(published, joined_model(published, **numbers), 20)))


def test_two_heads_have_the_error_that_sampling_finds():
    setting, theta = skewed_setting(3), random_task(3)
    x, noise = draw_inputs(setting, 60_000, 10, torch_generator(4, "heads"))
    prompts = label(x, noise, theta.reshape(1, -1))
    first, second = two_head_models(setting, 0.7, 0.8)
    prediction = predict_prefixes(first, prompts) + predict_prefixes(second, prompts)
    squared = (prediction - prompts.answer.unsqueeze(-1)).double() ** 2
    se = squared.std(0) / len(squared) ** 0.5
    closed = error_two_heads(setting, list(range(11)), theta, 0.7, 0.8)
    assert ((squared.mean(0) - closed) / se).abs().max() < 4


def test_two_heads_are_exact_at_zero_shots_and_close_to_the_pretrained_model_with_many(published):
    assert float(error_two_heads(published, 0, published.theta_0, 0.9)) == pytest.approx(published.noise)
    pair = torch.stack([published.theta_0, published.foreign])
    extra = error_two_heads(published, 999, pair, 0.99) - error_pretrained(published, 999, pair, 0.99)
    assert float(extra.mean()) == pytest.approx(1 / 1000, rel=1e-9)


def test_axial_numbers_are_read_back(published):
    p = torch.tensor([0.3, 0.8, -0.2, 0.1, 0.4, 0.9], dtype=torch.float64)
    assert torch.allclose(axial_parameters(published, axial_model(published, p)), p)


def test_the_best_value_only_model_is_a_minimum_and_keeps_the_price(published):
    found = best_axial(published, 0.1, value_only=True)
    assert found.gradient < 1e-6
    assert found.zero_shot == pytest.approx(2 / 9 + 0.1, abs=1e-3)


@pytest.mark.parametrize("m", [20, 10_000])
def test_one_head_beats_value_only_but_not_two_heads(m):
    setting = make_setting(m=m)
    one, value = best_axial(setting, 1.0), best_axial(setting, 1.0, value_only=True)
    a = best_pretraining_scale(setting)
    two = setting.noise + float(error_two_heads(setting, m, torch.stack([setting.theta_0, setting.foreign]), a).mean())
    assert two < one.zero_shot + one.many < value.zero_shot + value.many


def test_the_price_of_one_head_follows_its_asymptotic_form():
    setting = make_setting(m=100_000)
    found = best_axial(setting, 1.0)
    price = found.zero_shot + found.many - 2 * setting.noise
    assert price == pytest.approx(one_head_price(setting, 100_000, 1.0), rel=0.1)
    ratio = one_head_price(setting, 10**10, 1.0) / one_head_price(setting, 10**12, 1.0)
    assert ratio == pytest.approx(10, rel=0.05), "the price falls as the square root of the shots"


@pytest.mark.slow
def test_no_model_of_free_entries_beats_the_axial_optimum(published):
    best = best_axial(published, 1.0)
    for start in range(3):
        source = torch_generator(start, "free")
        Q = (0.3 * torch.randn(7, 7, generator=source, dtype=torch.float64)).requires_grad_()
        v = (0.3 * torch.randn(7, generator=source, dtype=torch.float64)).requires_grad_()
        search = torch.optim.LBFGS([Q, v], max_iter=300, history_size=40, line_search_fn="strong_wolfe")

        def closure(Q=Q, v=v, search=search):
            search.zero_grad()
            model = Merged(Q, v)
            loss = population_error(published, model, 0, published.theta_0)[0] + average_error(published, model, 20)[0]
            loss.backward()
            return loss

        search.step(closure)
        assert float(closure().detach()) > best.zero_shot + best.many - 1e-6


def test_weights_and_settings_outside_the_domain_are_refused(published):
    with pytest.raises(TheoryError, match="weight is 0"):
        best_axial(published, 0)
    with pytest.raises(TheoryError, match="Sigma is not the identity"):
        best_axial(skewed_setting(3), 1.0)
