"""The small model that the real ladder starts from: pre-trained on real prose and generated documents, stage by stage."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.errors import RecipeError
from manyshot.models import LoadedModel, ModelOptions, load_model, make_model
from manyshot.pretraining.curriculum import PretrainingRecipe, StageOptions
from manyshot.pretraining.rows import PretrainingRows
from manyshot.pretraining.train import pretrain, save_whole, tokenizer_texts
from manyshot.seeds import derive, generator
from manyshot.tasks import Corpus, open_corpus, open_suite

Say = Callable[[str], None]


class BaseRecipe(BaseModel):
    """Layout and curriculum of the model, and how much of each stage is prose."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    pretraining: PretrainingRecipe
    """As `python -m manyshot.pretraining train` reads it."""
    prose: dict[str, float] = Field(default_factory=dict)
    """Stage -> share of its rows that are real prose; none elsewhere."""


class MixedRows:
    """Row n is prose or a document, by n alone. Both kinds are made by the same number n."""

    def __init__(self, documents: PretrainingRows, prose: EpisodeDataset, share: float, seed: int) -> None:
        self.documents, self.prose, self.share, self.seed = documents, prose, share, seed

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, n: int) -> dict[str, Any]:
        if not 0 <= n < len(self):
            raise IndexError(n)
        is_prose = generator(self.seed, "which", n).random() < self.share
        row = self.prose[n] if is_prose else self.documents[n]
        # the columns that both have: a batch may hold rows of either kind
        return {key: row[key] for key in ("input_ids", "labels", "bounds", "is_text")}


def load_base_recipe(path: Path) -> BaseRecipe:
    """Read a base recipe. Raises RecipeError with the first fault's key."""
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; give a base recipe (.yaml)")
    try:
        return BaseRecipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def make_base(recipe: BaseRecipe, folder: Path, prose: Callable[[], Path], suite: Path, say: Say) -> Path:
    """Train the stages that are not done; return FOLDER/base, the last one's weights rounded to bfloat16, as float32.

    Rounded, because that is how they travel between machines: a ladder starts from the same numbers either way. `prose`
    returns a text file, and is called only while there is something to train.
    """
    place = folder / "base"
    if place.is_dir():
        return place
    root = folder / "pretraining"
    start = root / "start"

    @cache
    def corpus() -> Corpus:
        return open_corpus(prose())

    if not start.is_dir():
        pretraining = recipe.pretraining
        made = make_model(
            pretraining.model, texts_in_turn(pretraining, corpus(), suite), derive(pretraining.seed, "model")
        )
        for note in made.notes:
            say(note)
        save_whole(made, start)

    def rows_of(stage: StageOptions, tokenizer: Any, n_rows: int, seed: int) -> Any:
        documents = PretrainingRows(stage, tokenizer, n_rows, seed)
        share = recipe.prose.get(stage.name, 0.0)
        if share == 0:
            return documents
        plain = EpisodeDataset(
            [],
            tokenizer,
            EpisodeOptions(budget_tokens=stage.budget_tokens),
            n_rows=n_rows,
            seed=derive(seed, "prose"),
            corpus=corpus(),
            mix=MixOptions(text=1.0),
        )
        return MixedRows(documents, plain, share, seed)

    last = pretrain(recipe.pretraining, root, say, rows_of=rows_of)
    loaded = load_model(ModelOptions(path=str(last), dtype="float32"))
    save_whole(LoadedModel(loaded.model.to(torch.bfloat16).to(torch.float32), loaded.tokenizer, ()), place)
    return place


def models_made(root: Path, recipe: PretrainingRecipe) -> list[Path]:
    """Return the model folders of a pretraining in the order they were made: its start and its finished stages."""
    places = [root / "start", *(root / "stages" / stage.name for stage in recipe.stages)]
    return [place for place in places if place.is_dir()]


def texts_in_turn(recipe: PretrainingRecipe, corpus: Corpus, suite: Path) -> Iterator[str]:
    """Yield prose, training tasks' rows and generated documents in turn, for the tokenizer."""
    opened = open_suite(suite)
    tasks = opened.load(opened.select(["train"]))

    def rows() -> Iterator[str]:
        for examples in zip_longest(*(task.train for task in tasks)):
            for task, e in zip(tasks, examples, strict=True):
                if e is not None:
                    template = task.template
                    yield template.render_prompt(e.input) + template.render_answer(e.output) + template.stop

    for texts in zip_longest(corpus.documents, rows(), tokenizer_texts(recipe)):
        yield from (text for text in texts if text is not None)
