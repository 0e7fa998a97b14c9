"""Assemble theory.json: closed forms, Monte Carlo, SGD, general Sigma and the many-task result, in one dictionary.

The setting is the published one (d = 5, s2 = .1, m = 20, Sigma = I, ||theta_0|| = 1), a = w = m/(m+1+d), c = .52,
omega = 1.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from manyshot.theory import closed_forms as forms
from manyshot.theory.axial import Optimum, best_axial
from manyshot.theory.data import torch_generator
from manyshot.theory.descent import DescentPlan
from manyshot.theory.descent_report import describe_descent
from manyshot.theory.many_tasks import (
    error_two_heads,
    many_task_weight,
    one_head_price,
    weight_regret,
)
from manyshot.theory.monte_carlo import Case, Estimate, estimate_errors
from manyshot.theory.optima import all_model, pretrained_model, value_model
from manyshot.theory.population import population_error
from manyshot.theory.setting import Setting, make_setting

N_MAX = 20
C, OMEGA = 0.52, 1.0
TUNED_W = 0.66
"""The w of the oracle's last columns: near what the few-shot auxiliary on theta_0 picks at 20 shots (.6541)."""
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Preset:
    """Hold how much work a run does."""

    name: str
    monte_carlo_prompts: int = 1_000_000
    general_prompts: int = 100_000
    evaluation_prompts: int = 50_000
    """Prompts on which each seed's trained models are tested."""
    descent: DescentPlan = field(default_factory=DescentPlan)
    weights: tuple[float, ...] = (0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0, 20.0)
    """lambda, the weights of the few-shot loss along a frontier."""
    lengths: tuple[int, ...] = (20, 100, 1000, 10_000)
    """m, the shots of the prompts for which a frontier is drawn."""


FAST = Preset(
    "fast",
    monte_carlo_prompts=400_000,
    general_prompts=20_000,
    evaluation_prompts=10_000,
    descent=DescentPlan(pretraining_steps=1000, tuning_steps=800, batch_prompts=200, n_seeds=2),
    weights=(0.2, 1.0),
    lengths=(20, 1000),
)
DEFAULT = Preset("default")
PAPER = Preset("paper", descent=DescentPlan(batch_prompts=5000))


def run_experiment(preset: Preset, seed: int = 0, report: Report = lambda stage, step, steps: None) -> dict[str, Any]:
    """Return everything theory.json holds; `report(stage, step, steps)` is called as the work goes on."""
    began = time.perf_counter()
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        report(stage, 0, 1)
        start = time.perf_counter()
        result = work()
        seconds[stage] = round(time.perf_counter() - start, 2)
        return result

    setting, plan = make_setting(), replace(preset.descent, seed=seed)
    closed = closed_curves(setting)
    estimates = timed(
        "Monte Carlo",
        lambda: estimate_errors(setting, cases(setting), N_MAX, preset.monte_carlo_prompts, seed),
    )
    general = timed("general Sigma", lambda: check_general(preset.general_prompts, seed))
    many = timed("many tasks", lambda: describe_many_tasks(setting, preset))
    descent = timed("SGD", lambda: describe_descent(setting, plan, N_MAX, preset.evaluation_prompts, report))
    return {
        "closed_form": {name: _by_shots(curve) for name, curve in closed.items()},
        "monte_carlo": {name: _with_se(estimate) for name, estimate in estimates.items()},
        "sgd": descent,
        "general": general,
        "trade_off": describe_trade_off(setting),
        "crossing": describe_crossing(setting),
        "many_tasks": many,
        "checks": {"monte_carlo": compare(closed, estimates)},
        "meta": {
            "preset": preset.name,
            "setting": {
                "d": setting.d,
                "noise": setting.noise,
                "m": setting.m,
                "sigma": "identity",
                "theta_0_norm": 1.0,
                "a": forms.pretraining_scale(setting),
                "w": forms.pretraining_scale(setting),
                "w66": TUNED_W,
                "c": C,
                "omega": OMEGA,
                "n_max": N_MAX,
            },
            "monte_carlo_prompts": preset.monte_carlo_prompts,
            "evaluation_prompts": preset.evaluation_prompts,
            "descent": asdict(plan),
            "seed": seed,
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            "threads": torch.get_num_threads(),
            "seconds": seconds | {"all": round(time.perf_counter() - began, 2)},
        },
    }


def cases(setting: Setting) -> dict[str, Case]:
    """Return the model and test task of each curve of the oracle: `+` is theta_0, `-` is -theta_0."""
    a = forms.pretraining_scale(setting)
    tuned, kept, moved = all_model(setting, C, OMEGA), value_model(setting, a), value_model(setting, TUNED_W)
    target, foreign = setting.theta_0, setting.foreign
    return {
        "P": Case(pretrained_model(setting, a), None),
        "F+": Case(tuned, target),
        "F-": Case(tuned, foreign),
        "V+": Case(kept, target),
        "V-": Case(kept, foreign),
        "V66+": Case(moved, target),
        "V66-": Case(moved, foreign),
    }


def closed_curves(setting: Setting) -> dict[str, Tensor]:
    """Return the closed forms of the same curves for n = 0..N_MAX."""
    n, a = list(range(N_MAX + 1)), forms.pretraining_scale(setting)
    target, foreign = setting.theta_0, setting.foreign
    return {
        "P": forms.error_pretrained(setting, n, target, a),
        "F+": forms.error_all(setting, n, target, OMEGA / C),
        "F-": forms.error_all(setting, n, foreign, OMEGA / C),
        "V+": forms.error_value(setting, n, target, a),
        "V-": forms.error_value(setting, n, foreign, a),
        "V66+": forms.error_value(setting, n, target, TUNED_W),
        "V66-": forms.error_value(setting, n, foreign, TUNED_W),
    }


def compare(closed: dict[str, Tensor], estimates: dict[str, Estimate]) -> dict[str, dict[str, float]]:
    """Return for each curve the largest distance in standard errors and the largest standard error as a share."""
    return {
        name: {
            "largest_distance_in_se": float(((estimates[name].mean - curve) / estimates[name].se).abs().max()),
            "largest_relative_se": float((estimates[name].se / estimates[name].mean).max()),
        }
        for name, curve in closed.items()
    }


def check_general(n_prompts: int, seed: int) -> list[dict[str, Any]]:
    """Compare P, F and V with Monte Carlo under a random Sigma, random tasks and more noise, for d up to 64."""
    rows = []
    for d in (1, 2, 5, 16, 64):
        source = torch_generator(seed, "general", d)
        root = torch.randn(d, d, generator=source, dtype=torch.float64)
        sigma = root @ root.T / d + 0.3 * torch.eye(d, dtype=torch.float64)
        theta_0, theta = torch.randn(2, d, generator=source, dtype=torch.float64) / d**0.5
        setting = make_setting(d, noise=0.3, m=2 * d, sigma=sigma, theta_0=theta_0)
        n, a = list(range(N_MAX + 1)), forms.best_pretraining_scale(setting)
        closed = {
            "P": forms.error_pretrained(setting, n, theta, a),
            "F": forms.error_all(setting, n, theta, OMEGA / C),
            "V": forms.error_value(setting, n, theta, a),
        }
        models = {"P": pretrained_model(setting, a), "F": all_model(setting, C, OMEGA), "V": value_model(setting, a)}
        estimates = estimate_errors(setting, {k: Case(m, theta) for k, m in models.items()}, N_MAX, n_prompts, seed)
        exact = max(float((population_error(setting, models[k], n, theta) / closed[k] - 1).abs().max()) for k in closed)
        rows.append({"d": d, "closed_form_against_moments": exact, "monte_carlo": compare(closed, estimates)})
    return rows


def describe_trade_off(setting: Setting) -> dict[str, Any]:
    """Return the 20-shot errors of value-only tuning along w, and the w that each loss picks."""
    w = torch.linspace(0.3, 1.1, 81, dtype=torch.float64)
    target = [float(forms.error_value(setting, N_MAX, setting.theta_0, x)) for x in w.tolist()]
    foreign = [float(forms.error_value(setting, N_MAX, setting.foreign, x)) for x in w.tolist()]
    picks = {
        "few-shot on theta_0": float(forms.best_weight(setting, N_MAX, setting.theta_0)),
        "few-shot on -theta_0": float(forms.best_weight(setting, N_MAX, setting.foreign)),
        "few-shot over many tasks": float(many_task_weight(setting, N_MAX)),
    }
    chosen = {
        name: {
            "w": x,
            "target": float(forms.error_value(setting, N_MAX, setting.theta_0, x)),
            "foreign": float(forms.error_value(setting, N_MAX, setting.foreign, x)),
        }
        for name, x in picks.items()
    }
    return {
        "n": N_MAX,
        "w": w.tolist(),
        "target": target,
        "foreign": foreign,
        "chosen": chosen,
        "regret_at_many_tasks": float(weight_regret(setting, N_MAX)),
        "regret_limit": 1 / (setting.d + 4) ** 2,
    }


def describe_crossing(setting: Setting, n_max: int = 200) -> dict[str, Any]:
    """Return, by the cosine between test task and theta_0, the fewest shots from which a prompt beats none for good.

    `null` where it does not within n_max shots.
    """
    axis = setting.theta_0 / setting.theta_0.norm()
    other = torch.zeros_like(axis)
    other[0] = 1
    other = other - (other @ axis) * axis
    other = other / other.norm()
    cosine = torch.linspace(-1, 1, 41, dtype=torch.float64)
    tasks = cosine.unsqueeze(-1) * axis + (1 - cosine**2).clamp(min=0).sqrt().unsqueeze(-1) * other
    n, a = list(range(n_max + 1)), forms.pretraining_scale(setting)
    curves = {
        "P": forms.error_pretrained(setting, n, tasks, a),
        "F": forms.error_all(setting, n, tasks, OMEGA / C),
        "V": forms.error_value(setting, n, tasks, a),
    }
    first: dict[str, list[int | None]] = {}
    for name, curve in curves.items():
        worse = curve[:, 1:] >= curve[:, :1]
        last = [int(row.nonzero()[-1]) + 2 if bool(row.any()) else 1 for row in worse]
        first[name] = [x if x <= n_max else None for x in last]
    return {"cosine": cosine.tolist(), "n_max": n_max, "fewest_shots": first}


def describe_many_tasks(setting: Setting, preset: Preset) -> dict[str, Any]:
    """Return the frontiers of value-only, one head and two heads by m and lambda, and what FS on theta_0 gives."""
    frontiers = {}
    for m in preset.lengths:
        world = make_setting(setting.d, noise=setting.noise, m=m)
        a = forms.best_pretraining_scale(world)
        rows = []
        for weight in preset.weights:
            gain = 1 / (1 + weight / (m + 1))
            two = error_two_heads(world, [0, m], torch.stack([world.theta_0, world.foreign]), a, gain)
            points: dict[str, Any] = {
                "value": _point(best_axial(world, weight, value_only=True), world),
                "one head": _point(best_axial(world, weight), world),
                "two heads": {
                    "zero_shot": float(two[0, 0]),
                    "many": float(two[:, 1].mean()),
                    "target": float(two[0, 1]),
                    "foreign": float(two[1, 1]),
                },
            }
            rows.append({"lambda": weight, "one_head_price": one_head_price(world, m, weight)} | points)
        pretrained = float(forms.error_pretrained(world, m, world.theta_0, a))
        frontiers[str(m)] = {"pretrained": pretrained, "rows": rows}
    fs = best_axial(setting, 1.0, many=False)
    return {"frontiers": frontiers, "auxiliary_on_target_alone": _point(fs, setting)}


def _point(optimum: Optimum, setting: Setting) -> dict[str, Any]:
    pair = population_error(setting, optimum.model, setting.m, torch.stack([setting.theta_0, setting.foreign]))
    return {
        "zero_shot": optimum.zero_shot,
        "many": optimum.many,
        "target": float(pair[0, 0]),
        "foreign": float(pair[1, 0]),
        "gradient": optimum.gradient,
    }


def _by_shots(curve: Tensor) -> dict[str, float]:
    return {str(n): value for n, value in enumerate(curve.tolist())}


def _with_se(estimate: Estimate) -> dict[str, dict[str, float]]:
    pairs = zip(estimate.mean.tolist(), estimate.se.tolist(), strict=True)
    return {str(n): {"mean": mean, "se": se} for n, (mean, se) in enumerate(pairs)}
