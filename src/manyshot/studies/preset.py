"""Presets of the studies: which model, tasks, methods and budgets. Strict YAML; those that come with the package by name."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from manyshot.errors import RecipeError, nearest
from manyshot.files import hash_text
from manyshot.models import TuningOptions
from manyshot.studies.methods import BASE, METHODS, PRESERVING

_FOLDER = Path(__file__).parent / "presets"


class StudyPreset(BaseModel):
    """What every study says."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    cost: str
    """How long it takes on what, in words."""
    model: str = "bundled"
    """What every method starts from: a Hugging Face folder, a Hub name, or `bundled`."""
    suite: str = "builtin"
    """A suite's folder, or `builtin` for the generated one; in the preservation study also `builtin+recall`, the generated
    one with probes of recall, and `mmlu:FOLDER`."""
    methods: list[str]
    """Which methods, beside the base."""
    dev: list[str] = Field(default_factory=lambda: ["dev"])
    """Tasks that learning rates and combinations are chosen on."""
    held_out: list[str] = Field(default_factory=lambda: ["held_out"])
    """Tasks of the report, read once a model."""
    draws: int = Field(default=2, ge=1)
    """Choices of demonstrations a seed."""
    limit: int | None = Field(default=40, ge=1)
    """Queries a task."""
    budget_tokens: int = Field(default=512, ge=32)
    """Longest row."""
    step_tokens: int = Field(default=4096, ge=32)
    """Tokens an optimiser step, equal for every method: rows a step follow from how long its rows are."""
    rows_at_once: int = Field(default=16, ge=1)
    """Most full rows in memory at once; more are accumulated."""
    steps: int = Field(default=100, ge=1)
    """Optimiser steps."""
    learning_rates: list[float] = Field(min_length=1)
    """The same for every method; the best on dev is taken, in the preservation study the lowest of those that teach as much."""
    chosen: dict[str, float] = Field(default_factory=dict)
    """Method -> learning rate that was chosen on dev by a run without this entry, so that it need not be chosen again."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Further fields of transformers.TrainingArguments, the same for every method."""
    text: str | None = None
    """Plain text for bits per byte; null measures none; `builtin` is prose of the generated world."""
    seeds: list[int] = Field(default_factory=lambda: [0])
    """Every method is trained once a seed."""

    @cached_property
    def hash(self) -> str:
        """Return 16 hex digits of all options."""
        return hash_text(self.to_yaml())

    def to_yaml(self) -> str:
        """Return the resolved preset."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120)


class LadderPreset(StudyPreset):
    """Everything a ladder depends on."""

    train: list[str] = Field(default_factory=lambda: ["train"])
    """Tasks to train on."""
    seen: list[str] = Field(default_factory=list)
    """Training tasks whose test rows are judged too; each gets a model of its own under `dedicated_ft`."""
    near: list[str] = Field(default_factory=list)
    """Tasks held out of training that have a twin there; judged like `held_out`, and reported apart from it."""
    shots: list[int] = Field(default_factory=lambda: [0, 1, 2, 4, 8, 16, 32])
    """Numbers of demonstrations in the report."""
    dev_shots: list[int] = Field(default_factory=lambda: [0, 4, 16])
    """Numbers of demonstrations on dev; a learning rate is judged by the mean over them."""
    dev_limit: int | None = Field(default=40, ge=1)
    """Queries a dev task."""
    curve_points: list[float] = Field(default_factory=list)
    """Shares of a training's steps, such as .1, .2, .5, after which the first seed's models are judged on dev as well, at the
    largest of `dev_shots`: the learning curve against tokens. Each costs a checkpoint, whose writing is in the seconds."""
    dedicated_steps: int = Field(default=30, ge=1)
    """Optimiser steps of each model that is for one task only."""
    symbols: float = Field(default=0.0, ge=0, le=1)
    """Share of the rows of tasks with labels in which labels are made-up words, drawn anew for each row; the same for every
    method whose rows hold demonstrations."""
    tuning: TuningOptions = TuningOptions()
    """Which parameters move."""

    @field_validator("methods")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return known_methods(value, METHODS)

    @field_validator("curve_points")
    @classmethod
    def _shares(cls, value: list[float]) -> list[float]:
        for share in value:
            if not 0 < share < 1:
                raise ValueError(
                    f"{share} is no share of the steps; give numbers between 0 and 1, the end is judged anyway"
                )
        return sorted(set(value))

    @model_validator(mode="after")
    def _complete(self) -> "LadderPreset":
        if "dedicated_ft" in self.methods and not self.seen:
            raise ValueError("dedicated_ft trains a model for each task of `seen`; name some there")
        return self


class PreservationPreset(StudyPreset):
    """Everything a comparison of ways to keep in-context learning depends on."""

    targets: list[str]
    """Tasks that a model is tuned on, one model each."""
    dev_targets: list[str]
    """Targets on which learning rates and `best` are chosen, none of them among `targets`."""
    general: list[str]
    """Tasks whose rows are mixed in as general data."""
    shots: int = Field(default=16, ge=1)
    """Demonstrations at which in-context learning is measured, beside none."""
    scales: dict[str, float] = Field(default_factory=dict)
    """Method -> factor of the learning rates: adapters want higher ones than weights."""
    share_rates: bool = False
    """Methods that move the same parameters take the learning rate of the first of them, so that fewer are tried."""
    candidates: list[str] = Field(default_factory=list)
    """Methods that `best` is the best of, judged on dev."""
    diversity: list[int] = Field(default_factory=list)
    """Numbers of training tasks that `full` is also tuned on, at the same tokens, with families in turn."""
    diversity_one_family: bool = False
    """Tune on each of these numbers of tasks of one family too."""
    where: bool = False
    """Also put the base's projections back into the first model of `full`, to see where in-context learning was lost."""

    @field_validator("methods", "candidates")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        return known_methods(value, PRESERVING)

    @model_validator(mode="after")
    def _apart(self) -> "PreservationPreset":
        if both := set(self.targets) & set(self.dev_targets):
            raise ValueError(
                f"{', '.join(sorted(both))}: in targets and in dev_targets; choices on dev must not see targets"
            )
        if (self.diversity or self.where) and "full" not in self.methods:
            raise ValueError("diversity and where are about the method full; add it to methods")
        return self


P = TypeVar("P", bound=StudyPreset)


def known_methods(names: list[str], known: Mapping[str, Any]) -> list[str]:
    """Return the names in the order of what is known, each once; an unknown one is a ValueError naming the nearest.

    The base is judged anyway, so that its name says nothing.
    """
    for name in names:
        if name not in known and name != BASE:
            raise ValueError(f'no method "{name}"{nearest(name, known)}; known are {", ".join(known)}')
    return [name for name in known if name in names]


def load_preset(name: str, kind: type[P], **changes: Any) -> P:
    """Return the preset of a name that comes with the package, or of a YAML file, with fields changed.

    Raises RecipeError for an unknown name or key.
    """
    folder = _FOLDER / kind.__name__.removesuffix("Preset").lower()
    known = sorted(p.stem for p in folder.glob("*.yaml"))
    place = folder / f"{name}.yaml" if name in known else Path(name)
    if not place.is_file():
        raise RecipeError(
            f'no preset "{name}"{nearest(name, known)}; there are {", ".join(known)}, or give a .yaml file'
        )
    try:
        value = yaml.safe_load(place.read_text(encoding="utf-8")) or {}
        return kind.model_validate({**value, **{k: v for k, v in changes.items() if v is not None}})
    except yaml.YAMLError as error:
        raise RecipeError(f"{place}: not valid YAML ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f'{place}: "{".".join(map(str, first["loc"]))}": {first["msg"]}') from None
