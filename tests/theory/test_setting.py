"""Bad arguments are errors that name the value; good ones pass."""

import pytest
import torch

from manyshot.errors import TheoryError
from manyshot.theory.closed_forms import best_weight, error_all, error_pretrained, error_value
from manyshot.theory.monte_carlo import Case, estimate_errors
from manyshot.theory.optima import pretrained_model
from manyshot.theory.population import population_error
from manyshot.theory.setting import make_setting, shot_counts


@pytest.mark.parametrize("d", [0, -3])
def test_a_dimension_below_one_is_refused(d):
    with pytest.raises(TheoryError, match=f"d is {d}"):
        make_setting(d)


@pytest.mark.parametrize(
    ("sigma", "message"),
    [
        (torch.tensor([[1.0, 2.0], [2.0, 1.0]]), "not positive definite.*-1"),
        (torch.zeros(2, 2), "not positive definite"),
        (torch.tensor([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        (torch.eye(3), r"shape \(3, 3\)"),
        (torch.tensor([[float("nan"), 0.0], [0.0, 1.0]]), "not finite"),
    ],
)
def test_a_covariance_that_is_none_is_refused(sigma, message):
    with pytest.raises(TheoryError, match=message):
        make_setting(2, sigma=sigma)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": -0.1}, "noise is -0.1"),
        ({"noise": float("inf")}, "noise is inf"),
        ({"m": 0}, "m is 0"),
        ({"theta_0": torch.ones(4)}, r"theta_0 has shape \(4,\)"),
        ({"theta_0": torch.zeros(5)}, "other than zero"),
    ],
)
def test_other_values_outside_the_domain_are_refused(options, message):
    with pytest.raises(TheoryError, match=message):
        make_setting(5, **options)


@pytest.mark.parametrize("n", [-1, [0, -2], 1.5, []])
def test_a_negative_broken_or_missing_number_of_shots_is_refused(n):
    with pytest.raises(TheoryError, match="n is"):
        shot_counts(n)


def test_every_formula_and_the_simulation_refuse_negative_n(published):
    theta = published.theta_0
    model = pretrained_model(published, 0.7)
    calls = [
        lambda: error_pretrained(published, -1, theta, 0.7),
        lambda: error_all(published, -1, theta, 1.0),
        lambda: error_value(published, -1, theta, 0.7),
        lambda: best_weight(published, -1, theta),
        lambda: population_error(published, model, -1, theta),
        lambda: estimate_errors(published, {"P": Case(model, theta)}, -1, 10, 0),
    ]
    for call in calls:
        with pytest.raises(TheoryError, match="n is -1"):
            call()


def test_a_task_of_the_wrong_length_is_refused(published):
    with pytest.raises(TheoryError, match="length 4"):
        error_pretrained(published, 3, torch.ones(4), 0.7)
