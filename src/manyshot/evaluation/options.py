"""Options of this folder: what is evaluated, with how many shots, how often."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from manyshot.inference import Scoring


class EvaluationOptions(BaseModel):
    """Tasks x shots x draws."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    tasks: list[str] = Field(default_factory=lambda: ["held_out"])
    """Splits, task paths or patterns of the suite; `!name` takes tasks out."""
    shots: list[int] = Field(default_factory=lambda: [0, 4, 16])
    """Numbers of demonstrations. The first 4 of the 16 are the 4, so a whole curve costs one reading of the longest."""
    draws: int = Field(default=3, ge=1)
    """Independent choices of demonstrations."""
    limit: int | None = Field(default=100, ge=1)
    """Queries a task, the same for every draw; null takes all."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """Longest generated answer; null takes a quarter more than the longest of the training pool, at most 256."""
    scoring: Scoring = "raw"
    """How labels are compared: by their log-probability, or that over their number of tokens."""
    score_stop: bool = True
    """Score labels with the stop text behind them, so that no label is the beginning of another; false matches tools
    that score labels bare."""
    base: str | None = None
    """Stage whose result counts as `base`; null is the model as it was before the first stage."""

    @field_validator("shots")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if not value or min(value) < 0:
            raise ValueError("give at least one number of shots, none below 0")
        return sorted(set(value))

    @field_validator("scoring")
    @classmethod
    def _available(cls, value: str) -> str:
        if value == "calibrated":
            raise ValueError(
                "calibrated scoring needs offsets, which an evaluation does not estimate yet; use raw or normalised"
            )
        return value
