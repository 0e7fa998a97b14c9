"""The shapes written in the signatures are what goes in and comes out."""

import pytest
import torch
from beartype import beartype
from jaxtyping import Float, TypeCheckError, jaxtyped

from manyshot.theory import axial, closed_forms, data, many_tasks, model, population, setting
from manyshot.theory.optima import value_model
from tests.theory.conftest import random_task, skewed_setting


def checked(monkeypatch, module, name):
    """Return a function whose annotated shapes are checked at every call; the package itself never imports jaxtyping."""
    monkeypatch.setattr(module, "Float", Float, raising=False)
    return jaxtyped(typechecker=beartype)(getattr(module, name))


def tasks(count=2):
    return torch.stack([random_task(3, str(i)) for i in range(count)])


CALLS = {
    "setting.inner": lambda f, s: f(s, tasks(), s.theta_0.expand(2, 3)),
    "setting.shot_counts": lambda f, s: f([0, 1, 2]),
    "closed_forms.error_pretrained": lambda f, s: f(s, [0, 1, 2], tasks(), 0.7),
    "closed_forms.error_all": lambda f, s: f(s, [0, 1, 2], tasks(), 1.9),
    "closed_forms.error_value": lambda f, s: f(s, [0, 1, 2], tasks(), 0.7),
    "closed_forms.error_joined": lambda f, s: f(s, [0, 1], tasks(), k=0.1, a=0.7, beta=0.2, omega=1.0),
    "closed_forms.best_weight": lambda f, s: f(s, [1, 2], tasks()),
    "closed_forms.best_pretraining_matrix": lambda f, s: f(s),
    "many_tasks.error_two_heads": lambda f, s: f(s, [0, 1, 2], tasks(), 0.7),
    "many_tasks.many_task_weight": lambda f, s: f(s, [0, 1, 2]),
    "population.population_error": lambda f, s: f(s, value_model(s, 0.7), [0, 1, 2], tasks()),
    "population.average_error": lambda f, s: f(s, value_model(s, 0.7), [0, 1, 2]),
    "population.sphere_rule": lambda f, s: f(3),
    "axial.axial_parameters": lambda f, s: f(s, value_model(s, 0.7)),
    "data.draw_tasks": lambda f, s: f(s, 4, data.torch_generator(0, "shapes")),
    "data.draw_inputs": lambda f, s: f(s, 4, 2, data.torch_generator(0, "shapes")),
    "model.attend": lambda f, s: f(torch.ones(4, 3, 5), torch.ones(5, 5), torch.ones(5, 5)),
}
MODULES = {x.__name__.rsplit(".", 1)[1]: x for x in (setting, closed_forms, many_tasks, population, axial, data, model)}


@pytest.mark.parametrize("name", CALLS)
def test_a_function_keeps_the_shapes_it_states(monkeypatch, name):
    module, function = name.split(".")
    CALLS[name](checked(monkeypatch, MODULES[module], function), skewed_setting(3))


def test_the_check_itself_catches_a_wrong_shape(monkeypatch):
    attend = checked(monkeypatch, model, "attend")
    with pytest.raises(TypeCheckError):
        attend(torch.ones(4, 3, 5), torch.ones(5, 4), torch.ones(5, 5))
