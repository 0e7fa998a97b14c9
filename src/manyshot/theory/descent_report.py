"""Test what SGD learned: exact and simulated errors of each method, and the closed forms at the learned parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from manyshot.theory import closed_forms as forms
from manyshot.theory.descent import DescentPlan, for_target, run_descent
from manyshot.theory.many_tasks import many_task_weight
from manyshot.theory.model import Merged
from manyshot.theory.monte_carlo import Case, estimate_errors
from manyshot.theory.optima import joined_parameters
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import Setting

TASKS = ("target", "foreign")
FORM_OF = {"pretrained": "P", "all ZS": "F"}
"""Methods with a closed form of their own; `V ...` is V; every other method that moves v has the joined family."""


def describe_descent(
    setting: Setting, plan: DescentPlan, n_max: int, n_prompts: int, report: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Run the experiment and return, for each method, means over seeds by number of shots.

    `target`, `foreign` (theta_0, -theta_0) and `many` (mean over the sphere) are exact for the learned matrices; `simulated`
    repeats the first two on `n_prompts` drawn prompts a seed. `gap` is the largest relative distance between a closed form at
    the learned parameters and the exact error, over tasks and n, both averaged over seeds.
    """
    result = run_descent(setting, plan, report)
    models = {"pretrained": result.pretrained, **result.tuned}
    n = list(range(n_max + 1))
    exact: dict[str, list[Tensor]] = {name: [] for name in models}
    closed: dict[str, list[Tensor]] = {name: [] for name in models}
    simulated: dict[str, list[Tensor]] = {name: [] for name in models}
    learned: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    for i in range(plan.n_seeds):
        world = for_target(setting, result.theta_0[i])
        pair = torch.stack([world.theta_0, world.foreign])
        own = {name: Merged(m.query_key[i], m.value[i]) for name, m in models.items()}
        drawn = estimate_errors(
            world,
            {f"{name} {task}": Case(m, theta) for name, m in own.items() for task, theta in zip(TASKS, pair, strict=True)},
            n_max,
            n_prompts,
            plan.seed + i,
        )
        for name, model in own.items():
            exact[name].append(torch.cat([population_error(world, model, n, pair), average_error(world, model, n)[None]]))
            simulated[name].append(torch.stack([drawn[f"{name} {task}"].mean for task in TASKS]))
            found = joined_parameters(world, model)
            learned[name].append(found)
            closed[name].append(closed_form_at(world, name, found, n, pair))
        report("testing", i + 1, plan.n_seeds)
    return {
        "plan": asdict(plan),
        "methods": {
            name: _describe(setting, name, exact[name], simulated[name], closed[name], learned[name]) for name in models
        },
    }


def closed_form_at(setting: Setting, method: str, found: dict[str, float], n: list[int], pair: Tensor) -> Tensor:
    """Return (two rows a closed form) the errors on both tasks at the learned parameters.

    Rows 0, 1: the method's own form at its one learned number, P at a, F at rho = k (v_y = 1), V at w = a; for other methods
    the joined family. Rows 2, 3: the joined family at all four learned numbers.
    """
    k, a, beta, omega = (found[x] for x in ("k", "a", "beta", "omega"))
    joined = forms.error_joined(setting, n, pair, k=k, a=a, beta=beta, omega=omega)
    own = joined
    if method == "pretrained":
        own = forms.error_pretrained(setting, n, pair, a)
    elif method == "all ZS":
        own = forms.error_all(setting, n, pair, k)
    elif method.startswith("V "):
        own = forms.error_value(setting, n, pair, a)
    return torch.cat([own, joined])


def ideal_parameters(setting: Setting, method: str) -> dict[str, float]:
    """Return what the theory asks of the learned numbers of a method, where it asks anything."""
    w_own = float(forms.best_weight(setting, setting.m, setting.theta_0))
    w_many = float(many_task_weight(setting, setting.m))
    al = 1 / (setting.d + 4)
    if method == "pretrained":
        return {"a": forms.best_pretraining_scale(setting), "k": 0.0, "alpha": 0.0}
    if method == "all ZS":
        return {"a": 0.0, "k_beta": 1.0}
    if method.startswith("V "):
        w = w_own if "FS" in method else w_many if "MT" in method else None
        return {"alpha": al, "k": 0.0} | ({} if w is None else {"w": w})
    return {}


def _describe(
    setting: Setting,
    name: str,
    exact: list[Tensor],
    simulated: list[Tensor],
    closed: list[Tensor],
    learned: list[dict[str, float]],
) -> dict[str, Any]:
    errors, drawn, form = torch.stack(exact), torch.stack(simulated), torch.stack(closed)
    mean, spread = errors.mean(0), errors.std(0) if len(exact) > 1 else torch.zeros_like(errors[0])
    described: dict[str, Any] = {
        task: {str(n): {"mean": float(mean[row, n]), "sd": float(spread[row, n])} for n in range(mean.shape[1])}
        for row, task in enumerate((*TASKS, "many"))
    }
    described["simulated"] = {
        task: {str(n): x for n, x in enumerate(drawn.mean(0)[row].tolist())} for row, task in enumerate(TASKS)
    }
    keys = learned[0].keys()
    means = {key: sum(seed[key] for seed in learned) / len(learned) for key in keys}
    means["k_beta"] = sum(seed["k"] * seed["beta"] for seed in learned) / len(learned)
    means["alpha"] = sum(seed["a"] * seed["beta"] for seed in learned) / len(learned)
    described["learned"], described["ideal"] = means, ideal_parameters(setting, name)
    if name == "pretrained" or name.startswith(("V ", "all ")):
        form_mean, sim = form.mean(0), drawn.mean(0)
        described["form"] = FORM_OF.get(name, "V" if name.startswith("V ") else "joined")
        described["closed_form"] = {
            task: {str(n): x for n, x in enumerate(form_mean[row].tolist())} for row, task in enumerate(TASKS)
        }
        described["gap"] = {
            "own_form": float((mean[:2] / form_mean[:2] - 1).abs().max()),
            "own_form_few_shot": float((mean[:2, 1:] / form_mean[:2, 1:] - 1).abs().max()),
            "joined_form": float((mean[:2] / form_mean[2:] - 1).abs().max()),
            "simulated_against_own_form": float((sim / form_mean[:2] - 1).abs().max()),
            "simulated_against_exact": float((sim / mean[:2] - 1).abs().max()),
        }
    return described
