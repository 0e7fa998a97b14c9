"""Test what SGD learned: exact and simulated errors of each method, and the closed forms at the learned numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from manyshot.theory import closed_forms as forms
from manyshot.theory.axial import axial_model, axial_parameters
from manyshot.theory.descent import DescentPlan, DescentResult, for_target, run_descent
from manyshot.theory.many_tasks import many_task_weight
from manyshot.theory.model import Merged
from manyshot.theory.monte_carlo import Case, estimate_errors
from manyshot.theory.optima import joined_parameters
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import Setting

TASKS = ("target", "foreign")


def describe_descent(
    setting: Setting, plan: DescentPlan, n_max: int, n_prompts: int, report: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Run the experiment; return for each method what its last and its averaged weights do, as means over seeds.

    Keys of a method: `target`, `foreign`, `many` (theta_0, -theta_0, the mean over the sphere) by number of shots,
    exact for the learned matrices; `simulated`, the first two on `n_prompts` drawn prompts a seed; `learned` and
    `ideal` numbers; where there is a closed form, `closed_form` at the learned numbers and `gap`, the largest
    relative distances over both tasks and all n.
    """
    result = run_descent(setting, plan, report)
    described: dict[str, dict[str, Any]] = {name: {} for name in result.last}
    for kind, models in (("last", result.last), ("averaged", result.averaged)):
        for name, row in describe_models(setting, plan, result, models, n_max, n_prompts).items():
            described[name][kind] = row
        report(f"testing ({kind} weights)", 1, 1)
    return {"plan": asdict(plan), "methods": described}


def describe_models(
    setting: Setting, plan: DescentPlan, result: DescentResult, models: dict[str, Merged], n_max: int, n_prompts: int
) -> dict[str, dict[str, Any]]:
    """Return what `describe_descent` says of one kind of weights."""
    n = list(range(n_max + 1))
    exact: dict[str, list[Tensor]] = {name: [] for name in models}
    simulated: dict[str, list[Tensor]] = {name: [] for name in models}
    closed: dict[str, list[Tensor]] = {name: [] for name in models}
    learned: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    for i in range(plan.n_seeds):
        world = for_target(setting, result.theta_0[i])
        pair = torch.stack([world.theta_0, world.foreign])
        own = {name: Merged(m.query_key[i], m.value[i]) for name, m in models.items()}
        cases = {f"{x} {t}": Case(own[x], theta) for x in own for t, theta in zip(TASKS, pair, strict=True)}
        drawn = estimate_errors(world, cases, n_max, n_prompts, plan.seed + i)
        for name, model in own.items():
            both, mean = population_error(world, model, n, pair), average_error(world, model, n)
            exact[name].append(torch.cat([both, mean.unsqueeze(0)]))
            simulated[name].append(torch.stack([drawn[f"{name} {task}"].mean for task in TASKS]))
            learned[name].append(learned_numbers(world, model))
            if form_of(name):
                closed[name].append(closed_form_at(world, name, model, n, pair))
    return {
        name: _means(exact[name], simulated[name], closed[name], learned[name])
        | {"form": form_of(name), "ideal": ideal_numbers(setting, name)}
        for name in models
    }


def form_of(method: str) -> str | None:
    """Return which closed form a method's errors should follow; None where neither the paper nor we have one."""
    if method == "pretrained":
        return "P"
    if method == "all ZS":
        return "F"
    if method.startswith("V "):
        return "V"
    return "axial" if method.startswith("all ") else None


def closed_form_at(setting: Setting, method: str, model: Merged, n: list[int], pair: Tensor) -> Tensor:
    """Return four rows of errors: the method's own form on both tasks, then the axial family's on both.

    P is taken at the learned a, F at the learned rho, V at the learned w with al = 1/(d+4), its zero-shot optimum (at the
    learned al too where the auxiliary never fades, since that moves v_x as well); the axial family at all six numbers.
    """
    found = joined_parameters(setting, model)
    axial = population_error(setting, axial_model(setting, axial_parameters(setting, model)), n, pair)
    if method == "pretrained":
        return torch.cat([forms.error_pretrained(setting, n, pair, found["a"]), axial])
    if method == "all ZS":
        return torch.cat([forms.error_all(setting, n, pair, rho=found["k"]), axial])
    if method.startswith("V "):
        alpha = found["a"] * found["beta"] if method.endswith("/1") else None
        return torch.cat([forms.error_value(setting, n, pair, w=found["a"], alpha=alpha), axial])
    return torch.cat([axial, axial])


def learned_numbers(setting: Setting, model: Merged) -> dict[str, float]:
    """Return the learned numbers at the scale v_y = 1: a (= w), k (= rho when a = 0), beta, alpha = a beta, k beta, e beta.

    e beta is the in-context learning along theta_0 alone (axial.py): Q_xy v_x. `outside_*` says how much of the learned
    matrices the joined family leaves out.
    """
    found = joined_parameters(setting, model)
    axial = axial_parameters(setting, model).tolist()
    norm = float(setting.theta_0.norm())
    products = {
        "alpha": found["a"] * found["beta"],
        "k_beta": found["k"] * found["beta"],
        "e_beta": axial[3] * axial[4] / norm,
    }
    return {key: value for key, value in found.items() if key != "omega"} | products


def ideal_numbers(setting: Setting, method: str) -> dict[str, float]:
    """Return what the theory asks of a method's learned numbers, where it asks anything."""
    if method == "pretrained":
        return {"a": forms.best_pretraining_scale(setting), "k": 0.0, "alpha": 0.0}
    if method == "all ZS":
        return {"a": 0.0, "k_beta": 1.0}
    if method.startswith("V "):
        ideal = {"alpha": 1 / (setting.d + 4), "k": 0.0}
        if "FS" in method:
            ideal["a"] = float(forms.best_weight(setting, setting.m, setting.theta_0))
        if "MT" in method:
            ideal["a"] = float(many_task_weight(setting, setting.m))
        return ideal
    return {}


def _means(
    exact: list[Tensor], simulated: list[Tensor], closed: list[Tensor], learned: list[dict[str, float]]
) -> dict[str, Any]:
    errors, drawn = torch.stack(exact), torch.stack(simulated).mean(0)
    mean, spread = errors.mean(0), errors.std(0, correction=min(1, len(exact) - 1))
    described: dict[str, Any] = {
        task: {str(n): {"mean": float(mean[row, n]), "sd": float(spread[row, n])} for n in range(mean.shape[1])}
        for row, task in enumerate((*TASKS, "many"))
    }
    described["simulated"] = {task: _by_shots(drawn[row]) for row, task in enumerate(TASKS)}
    described["learned"] = {key: sum(seed[key] for seed in learned) / len(learned) for key in learned[0]}
    if closed:
        form = torch.stack(closed).mean(0)
        described["closed_form"] = {task: _by_shots(form[row]) for row, task in enumerate(TASKS)}
        described["gap"] = {
            "own_form": float((mean[:2] / form[:2] - 1).abs().max()),
            "own_form_from_1_shot": float((mean[:2, 1:] / form[:2, 1:] - 1).abs().max()),
            "axial_form": float((mean[:2] / form[2:] - 1).abs().max()),
            "simulated_against_own_form": float((drawn / form[:2] - 1).abs().max()),
            "simulated_against_exact": float((drawn / mean[:2] - 1).abs().max()),
        }
    return described


def _by_shots(curve: Tensor) -> dict[str, float]:
    return {str(n): value for n, value in enumerate(curve.tolist())}
