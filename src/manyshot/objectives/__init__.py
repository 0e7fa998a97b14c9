"""The number to minimise: scopes, averagings, shot weights. Tensors in, never a model."""

from manyshot.objectives.loss import keep_mask, target_nll
from manyshot.objectives.options import Averaging, ObjectiveOptions, Scope
from manyshot.objectives.weighing import RowWeights, shot_weight, target_spans, weigh_row

__all__ = [
    "Averaging",
    "ObjectiveOptions",
    "RowWeights",
    "Scope",
    "keep_mask",
    "shot_weight",
    "target_nll",
    "target_spans",
    "weigh_row",
]
