"""Models: load or make them, choose which parameters move."""

from manyshot.models.loading import (
    LoadedModel,
    context_window,
    count_parameters,
    load_model,
    load_tokenizer,
    own_forward,
)
from manyshot.models.options import ModelOptions, ScratchOptions, TuningOptions
from manyshot.models.scratch import make_model, train_tokenizer
from manyshot.models.soft_prompt import save_prompt, take_prompt
from manyshot.models.tuning import TunedModel, prepare_tuning

__all__ = [
    "LoadedModel",
    "ModelOptions",
    "ScratchOptions",
    "TunedModel",
    "TuningOptions",
    "context_window",
    "count_parameters",
    "load_model",
    "load_tokenizer",
    "make_model",
    "own_forward",
    "prepare_tuning",
    "save_prompt",
    "take_prompt",
    "train_tokenizer",
]
