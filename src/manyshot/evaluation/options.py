"""Options of this folder: what is evaluated, with how many shots, how often."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from manyshot.evaluation.stress import Stress
from manyshot.inference import Scoring


class EvaluationOptions(BaseModel):
    """Tasks x shots x draws."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    tasks: list[str] = Field(default_factory=lambda: ["held_out"])
    """Splits, task paths or patterns of the suite; `!name` takes tasks out."""
    suite: str | None = None
    """Another suite that `tasks` are of, in a recipe; the training tasks are judged beside them, as seen ones. Null is the
    recipe's own suite."""
    shots: list[int] = Field(default_factory=lambda: [0, 4, 16])
    """Numbers of demonstrations. The first 4 of the 16 are the 4, so a whole curve costs one reading of the longest."""
    draws: int = Field(default=3, ge=1)
    """Independent choices of demonstrations."""
    limit: int | None = Field(default=100, ge=1)
    """Queries a task, the same for every draw; null takes all."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """Longest generated answer; null takes a quarter more than the longest of the training pool, at most 256."""
    scoring: Scoring = "raw"
    """How labels are compared: `raw` log-probability, `normalised` by their tokens, `calibrated` against inputs without
    content (arXiv 2102.09690), or `channel`: the probability of the input given the label (arXiv 2108.04106)."""
    demonstrations: Literal["random", "balanced", "bm25"] = "random"
    """Drawn at random, balanced over labels, or the most similar ones for each query."""
    score_stop: bool = True
    """Score labels with the stop text behind them, so that no label is the beginning of another; false matches tools
    that score labels bare."""
    stress: list[Stress] = Field(default_factory=list)
    """Also score with demonstrations `sorted` by label, labels `flipped` or `abstract`, several orders of the same
    demonstrations (`order`), and labels generated instead of chosen (`free`)."""
    orders: int = Field(default=4, ge=2)
    """Orders that the stress `order` tries, the plain one among them."""
    base: str | None = None
    """Stage whose result counts as `base`; null is the model as it was before the first stage."""

    @field_validator("shots")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if not value or min(value) < 0:
            raise ValueError("give at least one number of shots, none below 0")
        return sorted(set(value))

    @field_validator("stress")
    @classmethod
    def _once(cls, value: list[Stress]) -> list[Stress]:
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _retrieval_has_one_draw(self) -> "EvaluationOptions":
        if self.demonstrations == "bm25" and self.draws > 1:
            raise ValueError("bm25 gives each query one choice of demonstrations; set draws to 1")
        if self.demonstrations == "bm25" and self.scoring in ("calibrated", "channel"):
            raise ValueError(f"bm25 goes with raw or normalised scoring, not {self.scoring}")
        if self.demonstrations == "bm25" and self.stress:
            raise ValueError("stress changes the demonstrations that all queries share, and bm25 gives each its own")
        return self
