"""The closed forms against the published table, against limits, and against sampling for any Sigma and d up to 64."""

import pytest
import torch

from manyshot.theory.closed_forms import (
    best_weight,
    error_all,
    error_pretrained,
    error_value,
    pretraining_scale,
)
from manyshot.theory.monte_carlo import Case, estimate_errors
from manyshot.theory.optima import all_model, pretrained_model, value_model
from manyshot.theory.setting import inner
from tests.theory.conftest import random_task, skewed_setting

SHOTS = [0, 1, 5, 10, 20]
TABLE = {
    "P": [1.1000, 1.4402, 0.7631, 0.5083, 0.3459],
    "F+": [0.1000, 2.5786, 2.0325, 1.6632, 1.4113],
    "F-": [4.1000, 2.6555, 1.6308, 1.3911, 1.2529],
    "V+": [0.3222, 1.4089, 0.8104, 0.5268, 0.3402],
    "V-": [3.4333, 1.9901, 0.8446, 0.5638, 0.4000],
    "V66+": [0.3222, 1.1405, 0.6824, 0.4664, 0.3243],
    "V66-": [3.4333, 1.8916, 0.8380, 0.5957, 0.4567],
}


def curve(setting, name):
    a = pretraining_scale(setting)
    theta = setting.foreign if name.endswith("-") else setting.theta_0
    if name == "P":
        return error_pretrained(setting, SHOTS, theta, a)
    if name.startswith("F"):
        return error_all(setting, SHOTS, theta, 1 / 0.52)
    return error_value(setting, SHOTS, theta, 0.66 if "66" in name else a)


@pytest.mark.parametrize("name", TABLE)
def test_each_column_of_the_published_table_is_met_to_its_last_digit(published, name):
    assert curve(published, name).tolist() == pytest.approx(TABLE[name], abs=6e-5)


def test_the_w_that_the_published_notebook_calls_66_is_that_of_21_shots(published):
    found = best_weight(published, [20, 21], published.theta_0).tolist()
    assert found[0] == pytest.approx(0.6541, abs=6e-5)
    assert round(found[1], 2) == 0.66


def test_w_tends_to_different_limits_for_target_and_foreign_task(published):
    d, many = published.d, 10**9
    assert float(best_weight(published, many, published.theta_0)) == pytest.approx((d + 3) / (d + 4), abs=1e-6)
    assert float(best_weight(published, many, published.foreign)) == pytest.approx((d + 5) / (d + 4), abs=1e-6)


def test_tuning_all_parameters_forgets_every_task_as_shots_grow():
    setting = skewed_setting(4)
    theta = random_task(4)
    limit = float(inner(setting, theta, theta)) + setting.noise
    assert float(error_all(setting, 10**9, theta, 1.9)) == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("d", [1, 3, 16, 64])
def test_p_f_and_v_hold_for_general_sigma_noise_and_task(d):
    setting, theta = skewed_setting(d), random_task(d)
    n_max, n_prompts = 12, 30_000 if d < 64 else 15_000
    n = list(range(n_max + 1))
    pairs = {
        "P": (pretrained_model(setting, 0.6), error_pretrained(setting, n, theta, 0.6)),
        "F": (all_model(setting, 0.7, 1.2), error_all(setting, n, theta, 1.2 / 0.7)),
        "V": (value_model(setting, 0.8), error_value(setting, n, theta, 0.8)),
    }
    drawn = estimate_errors(setting, {k: Case(model, theta) for k, (model, _) in pairs.items()}, n_max, n_prompts, 1)
    for name, (_, closed) in pairs.items():
        distance = ((drawn[name].mean - closed) / drawn[name].se).abs()
        assert distance.max() < 4, name
        assert (drawn[name].se / closed).max() < 0.05, name


def test_several_tasks_at_once_equal_one_at_a_time():
    setting = skewed_setting(3)
    tasks = torch.stack([random_task(3, "one"), random_task(3, "two")])
    for form in (lambda t: error_pretrained(setting, SHOTS, t, 0.6), lambda t: error_value(setting, SHOTS, t, 0.8)):
        assert torch.allclose(form(tasks), torch.stack([form(t) for t in tasks]))
