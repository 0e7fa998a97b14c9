"""Linear attention as a model of fine-tuning: closed forms, exact moments, simulation and descent."""

from manyshot.theory.axial import Optimum, axial_model, axial_parameters, best_axial
from manyshot.theory.closed_forms import (
    best_pretraining_matrix,
    best_pretraining_scale,
    best_weight,
    error_all,
    error_joined,
    error_pretrained,
    error_value,
    pretraining_scale,
)
from manyshot.theory.data import Prompts, draw_prompts, draw_tasks
from manyshot.theory.descent import DescentPlan, DescentResult, run_descent
from manyshot.theory.many_tasks import error_two_heads, many_task_weight, one_head_price, weight_regret
from manyshot.theory.model import Merged, Separate, attend, merge, predict, predict_prefixes, split_balanced
from manyshot.theory.monte_carlo import Case, Estimate, estimate_errors
from manyshot.theory.optima import all_model, joined_model, pretrained_model, value_model
from manyshot.theory.population import average_error, population_error
from manyshot.theory.setting import Setting, make_setting

__all__ = [
    "Case",
    "DescentPlan",
    "DescentResult",
    "Estimate",
    "Merged",
    "Optimum",
    "Prompts",
    "Separate",
    "Setting",
    "all_model",
    "attend",
    "average_error",
    "axial_model",
    "axial_parameters",
    "best_axial",
    "best_pretraining_matrix",
    "best_pretraining_scale",
    "best_weight",
    "draw_prompts",
    "draw_tasks",
    "error_all",
    "error_joined",
    "error_pretrained",
    "error_two_heads",
    "error_value",
    "estimate_errors",
    "joined_model",
    "make_setting",
    "many_task_weight",
    "merge",
    "one_head_price",
    "population_error",
    "predict",
    "predict_prefixes",
    "pretrained_model",
    "pretraining_scale",
    "run_descent",
    "split_balanced",
    "value_model",
    "weight_regret",
]
