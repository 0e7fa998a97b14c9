"""The small model that the real ladder starts from: pre-trained on real prose and generated documents, then rounded."""

from collections.abc import Callable
from pathlib import Path

import torch

from manyshot.models import LoadedModel, ModelOptions, load_model
from manyshot.pretraining.curriculum import PretrainingRecipe
from manyshot.pretraining.train import pretrain, save_whole

Say = Callable[[str], None]


def make_base(recipe: PretrainingRecipe, folder: Path, say: Say) -> Path:
    """Train the stages that are not done; return FOLDER/base, the last one's weights rounded to bfloat16, as float32.

    Rounded, because that is how they travel between machines: a ladder starts from the same numbers either way.
    """
    place = folder / "base"
    if place.is_dir():
        return place
    last = pretrain(recipe, folder / "pretraining", say)
    loaded = load_model(ModelOptions(path=str(last), dtype="float32"))
    save_whole(LoadedModel(loaded.model.to(torch.bfloat16).to(torch.float32), loaded.tokenizer, ()), place)
    return place


def models_made(root: Path, recipe: PretrainingRecipe) -> list[Path]:
    """Return the model folders of a pretraining in the order they were made: its start and its finished stages."""
    places = [root / "start", *(root / "stages" / stage.name for stage in recipe.stages)]
    return [place for place in places if place.is_dir()]
