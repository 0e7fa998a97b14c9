"""The exact error of any model: against sampling, against the closed forms, and its gradients at the stated optima."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyshot.theory.closed_forms import (
    best_pretraining_matrix,
    best_pretraining_scale,
    best_weight,
    error_all,
    error_joined,
    error_pretrained,
    error_value,
)
from manyshot.theory.data import torch_generator
from manyshot.theory.model import Merged
from manyshot.theory.monte_carlo import Case, estimate_errors
from manyshot.theory.optima import (
    all_model,
    joined_model,
    joined_parameters,
    pretrained_matrix_model,
    pretrained_model,
    value_model,
)
from manyshot.theory.population import average_error, population_error, sphere_rule
from manyshot.theory.setting import make_setting
from tests.theory.conftest import random_task, skewed_setting

SHOTS = [0, 1, 2, 7, 20]


def random_model(dim, name="model"):
    source = torch_generator(5, name, dim)
    return Merged(
        torch.randn(dim, dim, generator=source, dtype=torch.float64) * 0.4,
        torch.randn(dim, generator=source, dtype=torch.float64) * 0.5,
    )


def gradients(model, loss):
    """Return the gradients of loss(model) by Q and v."""
    Q, v = model.query_key.clone().requires_grad_(), model.value.clone().requires_grad_()
    return torch.autograd.grad(loss(Merged(Q, v)), (Q, v))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_model_of_random_entries_is_met_by_sampling(d):
    setting, theta, model = skewed_setting(d), random_task(d), random_model(d + 2)
    drawn = estimate_errors(setting, {"one": Case(model, theta), "fresh": Case(model, None)}, 8, 100_000, 2)
    n = list(range(9))
    assert ((drawn["one"].mean - population_error(setting, model, n, theta)) / drawn["one"].se).abs().max() < 4
    assert ((drawn["fresh"].mean - average_error(setting, model, n)) / drawn["fresh"].se).abs().max() < 4


@settings(max_examples=25, deadline=None)
@given(
    d=st.integers(1, 8),
    k=st.floats(-2, 2),
    a=st.floats(-1, 2),
    beta=st.floats(-1, 1),
    omega=st.floats(-2, 2),
)
def test_the_joined_closed_form_equals_the_moments(d, k, a, beta, omega):
    setting, theta = skewed_setting(d), random_task(d)
    exact = population_error(setting, joined_model(setting, k=k, a=a, beta=beta, omega=omega), SHOTS, theta)
    assert torch.allclose(error_joined(setting, SHOTS, theta, k=k, a=a, beta=beta, omega=omega), exact, rtol=1e-9)


def test_p_f_and_v_equal_the_moments_of_their_models():
    setting, theta = skewed_setting(6), random_task(6)
    for form, model in (
        (error_pretrained(setting, SHOTS, theta, 0.7), pretrained_model(setting, 0.7)),
        (error_all(setting, SHOTS, theta, 1.3 / 0.4), all_model(setting, 0.4, 1.3)),
        (error_value(setting, SHOTS, theta, 0.9), value_model(setting, 0.9)),
        (error_value(setting, SHOTS, theta, 0.9, 0.2), value_model(setting, 0.9, 0.2)),
    ):
        assert torch.allclose(form, population_error(setting, model, SHOTS, theta), rtol=1e-10)


@pytest.mark.parametrize("d", [1, 2, 5, 9])
def test_the_sphere_rule_averages_polynomials_of_degree_four(d):
    points, weights = sphere_rule(d)
    assert float(weights.sum()) == pytest.approx(1)
    second = torch.einsum("p,pi,pj->ij", weights, points, points)
    assert torch.allclose(second, torch.eye(d, dtype=torch.float64) / d, atol=1e-12)
    fourth = torch.einsum("p,pi,pj,pk,pl->ijkl", weights, points, points, points, points)
    eye = torch.eye(d, dtype=torch.float64)
    pairs = sum(torch.einsum(f"{pair}->ijkl", eye, eye) for pair in ("ij,kl", "ik,jl", "il,jk"))
    assert torch.allclose(fourth, pairs / (d * (d + 2)), atol=1e-12)


def test_pretraining_has_no_gradient_at_its_optimum(published):
    model = pretrained_model(published, best_pretraining_scale(published))
    for gradient in gradients(model, lambda x: average_error(published, x, published.m)[0]):
        assert gradient.abs().max() < 1e-12


def test_pretraining_under_general_sigma_has_no_gradient_at_the_matrix_optimum():
    setting = skewed_setting(4)
    model = pretrained_matrix_model(setting, best_pretraining_matrix(setting))
    for gradient in gradients(model, lambda x: average_error(setting, x, setting.m)[0]):
        assert gradient.abs().max() < 1e-12


def test_the_published_scale_is_not_the_minimiser_when_labels_are_noisy(published):
    model = pretrained_model(published, 20 / 26)
    by_scores, _ = gradients(model, lambda x: average_error(published, x, published.m)[0])
    assert by_scores.abs().max() > 1e-3


@pytest.mark.parametrize(("c", "omega"), [(0.52, 1.0), (1.7, -0.4)])
def test_the_zero_shot_loss_has_no_gradient_at_f(c, omega):
    setting = skewed_setting(4)
    found = gradients(all_model(setting, c, omega), lambda x: population_error(setting, x, 0, setting.theta_0)[0])
    assert all(gradient.abs().max() < 1e-12 for gradient in found)


@pytest.mark.parametrize("w", [0.2, 0.9])
def test_the_zero_shot_loss_has_no_gradient_by_the_value_at_v_whatever_w(w):
    setting = skewed_setting(4)
    by_scores, by_value = gradients(
        value_model(setting, w), lambda x: population_error(setting, x, 0, setting.theta_0)[0]
    )
    assert by_value.abs().max() < 1e-12
    assert by_scores.abs().max() > 1e-3, "the scores are frozen there, not optimal: the price of V"


@pytest.mark.parametrize("n", [1, 20])
def test_the_few_shot_loss_has_no_gradient_by_w_at_w_star(n):
    setting, theta = skewed_setting(4), random_task(4)
    w = best_weight(setting, n, theta)[0]
    _, by_value = gradients(value_model(setting, float(w)), lambda x: population_error(setting, x, n, theta)[0])
    assert by_value[-1].abs() < 1e-12


def test_learned_numbers_are_read_back_whatever_the_scale_of_q_against_v():
    setting = make_setting(4)
    model = joined_model(setting, k=0.3, a=0.8, beta=0.2, omega=1.0)
    scaled = Merged(model.query_key * 5, model.value / 5)
    found = joined_parameters(setting, scaled)
    assert [found[x] for x in ("k", "a", "beta")] == pytest.approx([0.3, 0.8, 0.2])
    assert found["outside_query_key"] == pytest.approx(0, abs=1e-12)
