"""Many-shot in-context fine-tuning. The public names, each loaded when it is first used.

import manyshot as ms

suite = ms.open_suite("tasks")
rows = ms.EpisodeDataset(suite.load(suite.select(["train"])), tokenizer)
trainer = ms.ManyShotTrainer(model=model, args=arguments, train_dataset=rows, objective=ms.ObjectiveOptions())
scores = ms.evaluate(model, tokenizer, suite.load(suite.select(["held_out"])), shots=[0, 4, 16])
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions
    from manyshot.errors import ManyshotError
    from manyshot.evaluation import EvaluationOptions
    from manyshot.exporting import to_icl_format
    from manyshot.inference import PrimedTask, Reader
    from manyshot.judging import evaluate
    from manyshot.models import ModelOptions, TuningOptions, load_model, prepare_tuning
    from manyshot.objectives import ObjectiveOptions
    from manyshot.recipe import Recipe, load_recipe, make_recipe
    from manyshot.run import Run
    from manyshot.tasks import Example, Suite, Task, Template, find_leaks, load_task, load_tasks, open_suite, save_task
    from manyshot.training import EpisodeCollator, ManyShotTrainer, TrainingOptions, make_arguments

_PLACES = {
    "manyshot.errors": ("ManyshotError",),
    "manyshot.tasks": (
        *("Example", "Suite", "Task", "Template"),
        *("find_leaks", "load_task", "load_tasks", "open_suite", "save_task"),
    ),
    "manyshot.episodes": ("EpisodeDataset", "EpisodeOptions", "MixOptions"),
    "manyshot.models": ("ModelOptions", "TuningOptions", "load_model", "prepare_tuning"),
    "manyshot.objectives": ("ObjectiveOptions",),
    "manyshot.inference": ("PrimedTask", "Reader"),
    "manyshot.evaluation": ("EvaluationOptions",),
    "manyshot.exporting": ("to_icl_format",),
    "manyshot.training": ("EpisodeCollator", "ManyShotTrainer", "TrainingOptions", "make_arguments"),
    "manyshot.recipe": ("Recipe", "load_recipe", "make_recipe"),
    "manyshot.judging": ("evaluate",),
    "manyshot.run": ("Run",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "EpisodeCollator",
    "EpisodeDataset",
    "EpisodeOptions",
    "EvaluationOptions",
    "Example",
    "ManyShotTrainer",
    "ManyshotError",
    "MixOptions",
    "ModelOptions",
    "ObjectiveOptions",
    "PrimedTask",
    "Reader",
    "Recipe",
    "Run",
    "Suite",
    "Task",
    "Template",
    "TrainingOptions",
    "TuningOptions",
    "evaluate",
    "find_leaks",
    "load_model",
    "load_recipe",
    "load_task",
    "load_tasks",
    "make_arguments",
    "make_recipe",
    "open_suite",
    "prepare_tuning",
    "save_task",
    "to_icl_format",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module manyshot has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
