"""Recipe: everything a run depends on, as one strict document. Only composes the options that the folders own."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from manyshot.episodes import EpisodeOptions, MixOptions
from manyshot.errors import RecipeError, nearest
from manyshot.evaluation import EvaluationOptions
from manyshot.files import hash_text
from manyshot.models import ModelOptions, TuningOptions
from manyshot.objectives import ObjectiveOptions
from manyshot.tasks import Chat, SuiteOptions
from manyshot.training import TrainingOptions

# sections that every stage has, and that a recipe may give once for all stages
STAGE_SECTIONS = ("data", "objective", "tuning", "training")
_PATHS = (("suite", "path"), ("model", "path"), ("evaluation", "suite"), ("evaluation_text", "path"))


class DataOptions(BaseModel):
    """What a stage trains on."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    tasks: list[str] = Field(default_factory=lambda: ["train"])
    """Splits, task paths or patterns of the suite; `!name` takes tasks out."""
    text: str | None = None
    """A .txt file, or a folder of them, for plain-text rows."""
    general: str | None = None
    """A task folder, a folder of them, or a suite with a split `general`: tasks mixed in (`mix.general`) so that the model
    keeps what it can do."""
    episodes: EpisodeOptions = EpisodeOptions()
    """How rows are built."""
    mix: MixOptions = MixOptions()
    """Which kinds of rows there are."""


class StageOptions(BaseModel):
    """One training: its data, objective, moving parameters and optimiser."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field(default="tune", pattern=r"^[A-Za-z0-9_-]+$")
    """Names the stage's files."""
    data: DataOptions = DataOptions()
    """What it trains on."""
    objective: ObjectiveOptions = ObjectiveOptions()
    """What it minimises."""
    tuning: TuningOptions = TuningOptions()
    """Which parameters move."""
    training: TrainingOptions = TrainingOptions()
    """How the optimiser runs."""

    @model_validator(mode="after")
    def _general_rows_where_they_are_needed(self) -> "StageOptions":
        mix, is_general = self.data.mix, self.data.general is not None and self.data.mix.general != 0
        if mix.general and not is_general:
            raise ValueError(f"data.mix.general is {mix.general}, but there are no general tasks; set data.general")
        if self.objective.preservation.kl_icl is not None and not is_general:
            raise ValueError("objective.preservation.kl_icl holds answers of general rows; set data.general")
        return self


class TextProbeOptions(BaseModel):
    """Plain text whose bits per byte are reported before and after."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str
    """A .txt file that no stage trains on."""
    max_bytes: int = Field(default=100_000, ge=1000)
    """How much of it is read."""


class Recipe(BaseModel):
    """A model, the stages it goes through, and what it is judged on."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    suite: SuiteOptions
    """Where the tasks are."""
    model: ModelOptions
    """Where it starts."""
    stages: list[StageOptions] = Field(default_factory=lambda: [StageOptions()], min_length=1)
    """One training after another."""
    evaluation: EvaluationOptions = EvaluationOptions()
    """What base and tuned model are judged on."""
    evaluation_text: TextProbeOptions | None = None
    """Plain text for bits per byte."""
    seed: int = 0
    """All randomness derives from it."""

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError(f"stages {names} share a name; give each its own")
        if self.evaluation.base is not None and self.evaluation.base not in names[:-1]:
            raise ValueError(
                f'evaluation.base "{self.evaluation.base}" is no stage before the last; stages are {names}'
            )
        for number, stage in enumerate(self.stages):
            source = stage.tuning.soft_prompt_from
            if source is not None and source not in names[:number] and not Path(source).is_dir():
                raise ValueError(
                    f'stage {stage.name}: tuning.soft_prompt_from "{source}" is neither a stage before it nor a folder; '
                    "name the stage whose tuning.preset is soft_prompt"
                )
        return self

    @property
    def hash(self) -> str:
        """Return 16 hex digits of all options: a run folder belongs to one."""
        return hash_text(self.to_yaml())

    def to_yaml(self) -> str:
        """Return the resolved recipe, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


class EvaluationRecipe(BaseModel):
    """Models side by side on the same tasks: what `manyshot eval` does."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    models: dict[str, ModelOptions] = Field(min_length=1)
    """By the name their scores get; differences are taken from the first."""
    suites: list[str] = Field(min_length=1)
    """Task folders, folders of them, or suites."""
    chat: Chat | None = None
    """Show tasks as conversations, the instruction in a `system` turn or at the head of every `user` turn."""
    evaluation: EvaluationOptions = EvaluationOptions(tasks=["*"])
    """What they are judged on."""
    evaluation_text: TextProbeOptions | None = None
    """Plain text for bits per byte."""
    curve: bool = False
    """Also score every number of shots up to the largest from one teacher-forced pass a draw."""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server that the models are served by, instead of loading them here."""
    seed: int = 0
    """Choice of queries and demonstrations."""

    @model_validator(mode="after")
    def _curve_is_local(self) -> "EvaluationRecipe":
        if self.curve and self.endpoint:
            raise ValueError("the free curve needs a local model; leave out --curve or --endpoint")
        if self.evaluation_text and self.endpoint:
            raise ValueError("bits per byte need a local model; leave out --text or --endpoint")
        return self

    @property
    def hash(self) -> str:
        """Return 16 hex digits of all options."""
        return hash_text(self.to_yaml())

    def to_yaml(self) -> str:
        """Return the resolved recipe."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


class _Loader(yaml.SafeLoader):
    """YAML with numbers as people write them: PyYAML alone reads 1e-5 as text."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe. Relative paths in it are from its own folder; those in overrides from the current one."""
    place = Path(path)
    if not place.is_file():
        raise RecipeError(f"{place}: no such file; give a recipe (.yaml)")
    try:
        value = yaml.load(place.read_text(encoding="utf-8"), _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{place}{line}: not valid YAML ({getattr(error, 'problem', None) or error})") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{place}: holds {type(value).__name__}; a recipe is an object with suite, model and stages")
    _resolve_paths(value, place.parent.resolve())
    return make_recipe(value, overrides, place=str(place))


def make_recipe(value: dict[str, Any], overrides: Sequence[str] = (), *, place: str = "recipe") -> Recipe:
    """Return the recipe of a plain dict, with overrides such as `training.args.max_steps=20` applied.

    An override of `data`, `objective`, `tuning` or `training` goes to every stage; `stages.NAME.training...` to one.
    """
    value = _with_stages(value, place)
    for override in overrides:
        _apply(value, override)
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        raise RecipeError(f"{place}: {_explain(error, value)}") from None


def _with_stages(value: dict[str, Any], place: str) -> dict[str, Any]:
    """Move sections given once for all stages into each stage, below what the stage says itself."""
    value = dict(value)
    common = {key: value.pop(key) for key in STAGE_SECTIONS if key in value}
    stages = value.get("stages") or [{}]
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise RecipeError(f"{place}: stages must be a list of objects")
    value["stages"] = [_merge(common, stage) for stage in stages]
    return value


def _merge(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {key: _merge(below.get(key), above[key]) if key in above else below[key] for key in [*below, *above]}
    return below if above is None else above


def _apply(value: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise RecipeError(f'override "{override}" has no value; write it as training.args.max_steps=20')
    new = yaml.load(text, _Loader) if text else None
    keys = path.split(".")
    if keys[0] in STAGE_SECTIONS:
        targets = list(value["stages"])
    elif keys[0] == "stages":
        names = [stage.get("name", "tune") for stage in value["stages"]]
        if len(keys) < 3 or keys[1] not in names:
            raise RecipeError(
                f'override "{override}": name a stage as stages.NAME.section; stages are {", ".join(names)}'
            )
        targets, keys = [value["stages"][names.index(keys[1])]], keys[2:]
    else:
        targets = [value]
    for target in targets:
        for key in keys[:-1]:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        target[keys[-1]] = new


def _resolve_paths(value: dict[str, Any], folder: Path) -> None:
    def resolve(section: Any, key: str, *, hub: bool = False) -> None:
        if not isinstance(section, dict) or not isinstance(section.get(key), str):
            return
        path = Path(section[key]).expanduser()
        # a model's "name/name" may be one on the Hub
        if not path.is_absolute() and (not hub or section[key].startswith(".") or (folder / path).exists()):
            section[key] = str((folder / path).resolve())

    for section, key in _PATHS:
        resolve(value.get(section), key, hub=section == "model")
    for stage in [value, *(value.get("stages") or [])]:
        if isinstance(stage, dict):
            resolve(stage.get("data"), "text")
            resolve(stage.get("data"), "general")


def _explain(error: ValidationError, value: dict[str, Any]) -> str:
    """Return the first fault in one line: its key, its value, and what was meant."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    if len(location) > 1 and location[0] == "stages" and location[1].isdigit():
        stage = value["stages"][int(location[1])]
        location[1] = str(stage.get("name", "tune")) if isinstance(stage, dict) else location[1]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _fields(location[:-1])
        return f'unknown key "{key}"{nearest(location[-1], known)}; known here: {", ".join(known)}'
    if first["type"] == "missing":
        return f'"{key}" is missing; every recipe needs it'
    message = first["msg"].removeprefix("Value error, ")
    shown = repr(first["input"]) if isinstance(first["input"], (str, int, float, bool, type(None))) else None
    return f'"{key}": {message}' + (f" (it is {shown})" if shown else "") if key else message


def _fields(location: Iterable[str]) -> list[str]:
    """Return the names of the fields that are known at a place of the recipe."""
    model: type[BaseModel] = Recipe
    at_stage = False
    for part in location:
        if part == "stages":
            model, at_stage = StageOptions, True
            continue
        if at_stage:
            at_stage = False
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        inner = [a for a in (get_args(annotation) or (annotation,)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if get_origin(annotation) is Literal or not inner:
            return list(model.model_fields)
        model = inner[0]
    names = list(model.model_fields)
    return [*names, *STAGE_SECTIONS] if model is Recipe else names
