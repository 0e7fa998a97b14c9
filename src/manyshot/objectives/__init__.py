"""The number to minimise: scopes, averagings, shot weights, preservation terms. Tensors in, never a model."""

from manyshot.objectives.loss import fill_mask, keep_mask, target_nll
from manyshot.objectives.options import (
    Averaging,
    FewShotAuxOptions,
    KlIclOptions,
    KlInputOptions,
    ObjectiveOptions,
    PreservationOptions,
    Scope,
    TermOptions,
)
from manyshot.objectives.preservation import (
    answer_positions,
    input_positions,
    kl_divergence,
    scheduled_weight,
    squared_distance,
    zero_and_few_shot,
)
from manyshot.objectives.weighing import RowWeights, shot_weight, split_denominator, target_spans, weigh_row

__all__ = [
    "Averaging",
    "FewShotAuxOptions",
    "KlIclOptions",
    "KlInputOptions",
    "ObjectiveOptions",
    "PreservationOptions",
    "RowWeights",
    "Scope",
    "TermOptions",
    "answer_positions",
    "fill_mask",
    "input_positions",
    "keep_mask",
    "kl_divergence",
    "scheduled_weight",
    "shot_weight",
    "split_denominator",
    "squared_distance",
    "target_nll",
    "target_spans",
    "weigh_row",
    "zero_and_few_shot",
]
