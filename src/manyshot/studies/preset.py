"""A ladder's preset: which model, tasks, methods and budgets. Strict YAML; those that come with the package by name."""

from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from manyshot.errors import RecipeError, nearest
from manyshot.files import hash_text
from manyshot.models import TuningOptions
from manyshot.studies.methods import BASE, METHODS

_FOLDER = Path(__file__).parent / "presets"


class LadderPreset(BaseModel):
    """Everything a ladder depends on."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    cost: str
    """How long it takes on what, in words."""
    model: str = "bundled"
    """What every method starts from: a Hugging Face folder, a Hub name, or `bundled`."""
    suite: str = "builtin"
    """A suite's folder, or `builtin` for the generated one."""
    methods: list[str]
    """Which methods, beside the base."""
    train: list[str] = Field(default_factory=lambda: ["train"])
    """Tasks to train on."""
    dev: list[str] = Field(default_factory=lambda: ["dev"])
    """Tasks that learning rates are chosen on."""
    held_out: list[str] = Field(default_factory=lambda: ["held_out"])
    """Tasks of the report, read once a model."""
    seen: list[str] = Field(default_factory=list)
    """Training tasks whose test rows are judged too; each gets a model of its own under `dedicated_ft`."""
    shots: list[int] = Field(default_factory=lambda: [0, 1, 2, 4, 8, 16, 32])
    """Numbers of demonstrations in the report."""
    dev_shots: list[int] = Field(default_factory=lambda: [0, 4, 16])
    """Numbers of demonstrations on dev; a learning rate is judged by the mean over them."""
    draws: int = Field(default=2, ge=1)
    """Choices of demonstrations a seed."""
    limit: int | None = Field(default=40, ge=1)
    """Queries a task."""
    dev_limit: int | None = Field(default=40, ge=1)
    """Queries a dev task."""
    budget_tokens: int = Field(default=512, ge=32)
    """Longest row."""
    step_tokens: int = Field(default=4096, ge=32)
    """Tokens an optimiser step, equal for every method: rows a step follow from how long its rows are."""
    rows_at_once: int = Field(default=16, ge=1)
    """Most full rows in memory at once; more are accumulated."""
    steps: int = Field(default=100, ge=1)
    """Optimiser steps."""
    dedicated_steps: int = Field(default=30, ge=1)
    """Optimiser steps of each model that is for one task only."""
    learning_rates: list[float] = Field(min_length=1)
    """The same for every method; the best on dev is taken."""
    chosen: dict[str, float] = Field(default_factory=dict)
    """Method -> learning rate that was chosen on dev by a run without this entry, so that it need not be chosen again."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Further fields of transformers.TrainingArguments, the same for every method."""
    tuning: TuningOptions = TuningOptions()
    """Which parameters move."""
    text: str | None = None
    """Plain text for bits per byte; null measures none."""
    seeds: list[int] = Field(default_factory=lambda: [0])
    """Every method is trained once a seed."""

    @field_validator("methods")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            if name not in METHODS:
                raise ValueError(f'no method "{name}"{nearest(name, METHODS)}; known are {", ".join(METHODS)}')
        return list(dict.fromkeys(name for name in METHODS if name in value))

    @model_validator(mode="after")
    def _complete(self) -> "LadderPreset":
        if "dedicated_ft" in self.methods and not self.seen:
            raise ValueError("dedicated_ft trains a model for each task of `seen`; name some there")
        return self

    @cached_property
    def hash(self) -> str:
        """Return 16 hex digits of all options."""
        return hash_text(self.to_yaml())

    def to_yaml(self) -> str:
        """Return the resolved preset."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120)


def load_preset(name: str, **changes: Any) -> LadderPreset:
    """Return the preset of a name that comes with the package, or of a YAML file, with fields changed.

    Raises RecipeError for an unknown name or key.
    """
    known = sorted(p.stem for p in _FOLDER.glob("*.yaml"))
    place = _FOLDER / f"{name}.yaml" if name in known else Path(name)
    if not place.is_file():
        raise RecipeError(
            f'no preset "{name}"{nearest(name, known)}; there are {", ".join(known)}, or give a .yaml file'
        )
    try:
        value = yaml.safe_load(place.read_text(encoding="utf-8")) or {}
        return LadderPreset.model_validate({**value, **{k: v for k, v in changes.items() if v is not None}})
    except yaml.YAMLError as error:
        raise RecipeError(f"{place}: not valid YAML ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f'{place}: "{".".join(map(str, first["loc"]))}": {first["msg"]}') from None


__all__ = ["BASE", "LadderPreset", "load_preset"]
