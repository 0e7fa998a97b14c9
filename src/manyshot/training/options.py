"""Options of this folder: how the optimiser runs. Nearly all of them are transformers' own."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from transformers import TrainingArguments

from manyshot.errors import RecipeError, nearest

# fields that exact resumption and target-only heads depend on, with the reason that is given when one is set
OWNED = {
    "output_dir": "the run folder decides",
    "train_sampling_strategy": "rows come in the order of their numbers",
    "remove_unused_columns": "rows carry the bounds of their answers",
    "ignore_data_skip": "a resumed run goes on at the next row",
    "save_only_model": "a checkpoint without the optimiser cannot be resumed",
    "restore_callback_states_from_checkpoint": "the run restores its own counters",
    "label_smoothing_factor": "the loss is the objective's",
    "logging_nan_inf_filter": "a loss that is not a number is shown",
}
DEFAULTS: dict[str, Any] = {
    "max_steps": 300,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-4,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 10,
    "logging_steps": 10,
    "save_steps": 100,
    "save_total_limit": 2,
    "report_to": [],
}
# fields that transformers has renamed, newer name first: either may be written, and the installed version gets its own
RENAMED = (
    ("activation_checkpointing", "gradient_checkpointing"),
    ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"),
)


class GuardOptions(BaseModel):
    """A probe of in-context learning on dev tasks during training: score at `shots` less the floor, mean over tasks."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    every_steps: int = Field(default=50, ge=1)
    """Steps between probes; the start and the last step are probed too."""
    max_drop: float = Field(default=0.10, gt=0, le=1)
    """Largest share of the start's value that may be lost."""
    keep: Literal["best", "stop"] = "best"
    """When more is lost, training ends; the model is that of the last probe within the limit, or as it stands."""
    tasks: list[str] = Field(default_factory=lambda: ["dev"])
    """Splits, task paths or patterns of the suite. Not held-out tasks, which would steer, nor tasks that are trained on."""
    shots: int = Field(default=16, ge=1)
    """Demonstrations."""
    draws: int = Field(default=1, ge=1)
    """Choices of demonstrations."""
    limit: int = Field(default=50, ge=1)
    """Queries a task."""


class TrainingOptions(BaseModel):
    """How the optimiser runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    args: dict[str, Any] = Field(default_factory=dict)
    """Any field of transformers.TrainingArguments: max_steps, learning_rate, per_device_train_batch_size, bf16, fsdp, ...
    `activation_checkpointing` may also be written by its name before transformers 5.23, `gradient_checkpointing`."""
    guard: GuardOptions | None = None
    """End a training that costs too much in-context learning."""

    @field_validator("args")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        known = _known_fields().union(*RENAMED)
        for newer, older in RENAMED:
            if newer in value and older in value:
                raise ValueError(f'"{newer}" and "{older}" are two names of one field; leave the second out')
        for key in value:
            if key in OWNED:
                raise ValueError(f'"{key}" is not yours to set ({OWNED[key]}); leave it out')
            if key not in known:
                raise ValueError(f'TrainingArguments has no field "{key}"{nearest(key, known)}')
        return value


def make_arguments(options: TrainingOptions, output_dir: str | Path, seed: int) -> TrainingArguments:
    """Return TrainingArguments with our defaults below the user's fields.

    Where there is no accelerator, `use_cpu` is set and bf16 autocast is on if the chip computes in bf16 (twice as fast on
    small models); `bf16: false` switches it off. Raises RecipeError with transformers' own words for a wrong value.
    """
    import torch

    fields: dict[str, Any] = {**DEFAULTS, "seed": seed % 2**31, "disable_tqdm": True, **options.args}
    for newer, older in RENAMED:
        written, wanted = (older, newer) if newer in _known_fields() else (newer, older)
        if written in fields:
            fields[wanted] = fields.pop(written)
    if not torch.accelerator.is_available():
        fields.setdefault("use_cpu", True)
        has_bf16 = cpu_has_bf16()
    else:
        has_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if not fields.get("fp16"):
        fields.setdefault("bf16", has_bf16)
    fields.setdefault("ddp_find_unused_parameters", False)
    try:
        return TrainingArguments(
            output_dir=str(output_dir),
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            logging_nan_inf_filter=False,
            **fields,
        )
    except (TypeError, ValueError, ImportError) as error:
        raise RecipeError(f"training.args: {str(error).splitlines()[0]}") from None


def _known_fields() -> set[str]:
    return {field.name for field in dataclasses.fields(TrainingArguments) if field.init}


def cpu_has_bf16() -> bool:
    """Tell whether this CPU multiplies bf16 matrices in hardware."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.is_available() else False
