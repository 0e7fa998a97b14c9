"""Curriculum: which documents a row is drawn from, stage by stage, and how the model and optimiser are set. Strict YAML."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from manyshot.errors import RecipeError
from manyshot.files import hash_text
from manyshot.models import ScratchOptions
from manyshot.objectives import ObjectiveOptions
from manyshot.pretraining.company import company_prose, told_by_company
from manyshot.pretraining.documents import (
    ADJACENT,
    Document,
    Shown,
    any_frame,
    named_frame,
    pairs,
    periodic,
    phrases,
    plain_frame,
    separator_frame,
)
from manyshot.pretraining.lines import copied, picked, told_by_a_stem, told_by_a_word
from manyshot.pretraining.words import Draw, training_word
from manyshot.pretraining.world import prose
from manyshot.training import TrainingOptions

Kind = Literal[
    "periodic",
    "phrases",
    "adjacent",
    "plain",
    "separated",
    "framed",
    "shared_labels",
    "told_by_a_word",
    "told_by_a_stem",
    "copied",
    "prose",
    "told_nearby",
    "picked",
    "told_by_company",
    "company_prose",
]
# a target weighs the same wherever it stands
OBJECTIVE = ObjectiveOptions(scope="all_answers", averaging="token")
KINDS_OF_DOCUMENT: tuple[str, ...] = get_args(Kind)


class StageOptions(BaseModel):
    """One stage of the curriculum."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Names the stage's folder."""
    mix: dict[Kind, float]
    """Shares of the kinds of documents, in rows; they need not add up to 1."""
    text: float = Field(default=0.0, ge=0, le=1)
    """Share of rows that are the recipe's `corpus` in place of a document."""
    budget_tokens: int = Field(default=64, ge=16)
    """Length of a row."""
    one_piece: float = Field(default=0.0, ge=0, le=1)
    """Share of rows whose made-up words are single pieces of the vocabulary; in the others they have 1 to 3 syllables."""
    max_items: int | None = Field(default=None, ge=3)
    """Most different keys of a row, or words of a periodic phrase; few at first, or attention never begins to match."""
    n_words: int | None = Field(default=None, ge=20)
    """How many of the single-piece words such rows draw from, always the same ones; null takes all. Few at first: matching a
    word with itself is found sooner among a few hundred than among a thousand."""
    apart: float = Field(default=0.0, ge=0, le=1)
    """Share of the rows of single-piece words in which labels are words that are never keys in such a row."""
    n_label_words: int | None = Field(default=None, ge=8)
    """How many words are labels in those rows, always the same ones; null takes one in six."""
    targets: Literal["known", "all"] = "known"
    """Answers that the text determines, or every token of a row."""
    training: TrainingOptions = TrainingOptions()
    """How the optimiser runs."""
    compile: bool = False
    """Compile the layers for rows of one width: on a CPU twice as many tokens a second, after a minute or two."""
    muon_lr: float | None = Field(default=None, gt=0)
    """Learning rate of Muon for the matrices between embedding and head; null trains all with `training`'s AdamW."""

    @field_validator("mix")
    @classmethod
    def _some(cls, value: dict[str, float]) -> dict[str, float]:
        if not value or min(value.values()) < 0 or sum(value.values()) <= 0:
            raise ValueError("give at least one kind of document a share above 0, and none below")
        return value


class PretrainingRecipe(BaseModel):
    """A small model from nothing: its layout, its vocabulary, and what it reads in which order."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: ScratchOptions
    """Layout and size."""
    tokenizer_documents: int = Field(default=6000, ge=100)
    """Generated documents that the tokenizer is trained on."""
    tokenizer_kinds: list[Kind] = Field(default_factory=lambda: list(get_args(Kind)), min_length=1)
    """Their kinds, in turn. Listed in a recipe, they keep its tokenizer the same when kinds are added."""
    corpus: str | None = None
    """A .txt file of plain text, or a folder of them, from the current folder: the tokenizer learns from it, and stages mix
    it in (`text`)."""
    suite: str | None = None
    """A folder of task folders, from the current folder, whose training rows the tokenizer learns from too."""
    stages: list[StageOptions] = Field(min_length=1)
    """One training after another, each from where the last ended."""
    seed: int = 0
    """All randomness derives from it."""

    @model_validator(mode="after")
    def _text_where_it_is_mixed_in(self) -> "PretrainingRecipe":
        for stage in self.stages:
            if stage.text > 0 and self.corpus is None:
                raise ValueError(
                    f"stage {stage.name}: text is {stage.text}, but there is no text; set corpus to a .txt file"
                )
        return self

    @property
    def hash(self) -> str:
        """Return 16 hex digits of all options."""
        return hash_text(self.to_yaml())

    def to_yaml(self) -> str:
        """Return the resolved recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120)


def load_pretraining(path: str | Path) -> PretrainingRecipe:
    """Read a pretraining recipe. Raises RecipeError with the first fault's key."""
    place = Path(path)
    if not place.is_file():
        raise RecipeError(f"{place}: no such file; give a pretraining recipe (.yaml)")
    try:
        return PretrainingRecipe.model_validate(yaml.safe_load(place.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        key = ".".join(map(str, first["loc"]))
        raise RecipeError(f"{place}: {key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}") from None


def draw_document(
    rng: Random,
    kind: str,
    draw: Draw,
    n_examples: int,
    draw_label: Draw | None = None,
    max_items: int | None = None,
) -> Document:
    """Return a document of a kind with `n_examples` examples, its made-up words drawn by `draw`.

    Labels may come from words of their own. `max_items` bounds how many different keys,
    or words of a periodic phrase, there are.
    """
    if kind == "periodic":
        return periodic(rng, draw, 2 * n_examples, max_items)
    if kind == "phrases":
        return phrases(rng, draw, n_examples)
    if kind == "adjacent":
        return pairs(rng, draw, ADJACENT, n_examples, max_items or 8, draw_label=draw_label)
    if kind in ("plain", "separated"):
        frame = plain_frame(rng) if kind == "plain" else separator_frame(rng)
        return pairs(rng, draw, frame, n_examples, max_items or 8, draw_label=draw_label)
    if kind == "framed":
        return pairs(rng, draw, named_frame(rng), n_examples, max_items or 12, draw_label=draw_label)
    if kind == "shared_labels":
        return pairs(
            rng, draw, any_frame(rng), n_examples, max_items or 16, min(8, max_items or 8), draw_label=draw_label
        )
    if kind == "told_by_a_word":
        return told_by_a_word(rng, draw_label or training_word, any_frame(rng), n_examples, max_items or 8)
    if kind == "told_by_a_stem":
        return told_by_a_stem(rng, training_word, any_frame(rng), n_examples)
    if kind == "copied":
        return copied(rng, any_frame(rng), n_examples)
    if kind == "told_nearby":
        words = draw_label or training_word
        return told_by_a_word(rng, words, any_frame(rng), n_examples, max_items or 8, narrow=True)
    if kind == "picked":
        return picked(rng, any_frame(rng), n_examples)
    if kind == "told_by_company":
        return told_by_company(rng, draw_label or training_word, any_frame(rng), n_examples)
    if kind == "company_prose":
        return Document([Shown("", company_prose(rng, n_examples), True)], is_text=True)
    return Document([Shown("", prose(rng, n_examples), True)], is_text=True)


def choose_kind(rng: Random, mix: Mapping[Kind, float]) -> Kind:
    """Return a kind of document with the mix's probabilities."""
    return rng.choices(list(mix), list(mix.values()))[0]
