"""Options of this folder: how examples become training rows."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EpisodeOptions(BaseModel):
    """One many-shot row: how long, how many examples, in which order."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    budget_tokens: int = Field(default=2048, ge=8)
    """Longest row, in tokens. Whole examples only: an example that does not fit is not begun."""
    min_examples: int = Field(default=1, ge=1)
    """Fewest examples a row aims at."""
    max_examples: int | None = Field(default=None, ge=1)
    """Most examples in a row; null fills the token budget."""
    length: Literal["full", "log_uniform", "uniform"] = "full"
    """How the aimed number of examples is drawn between the two: always the most, or varied from row to row (needed for
    `last_answer`, where a row trains one number of shots only)."""
    order: Literal["shuffled"] = "shuffled"
    """Order of the examples within a row."""
    header: bool = True
    """Begin rows with the task's instruction, where it has one."""

    @model_validator(mode="after")
    def _ordered(self) -> "EpisodeOptions":
        if self.max_examples is not None and self.max_examples < self.min_examples:
            raise ValueError(f"max_examples is {self.max_examples}, below min_examples {self.min_examples}")
        return self


class MixOptions(BaseModel):
    """Which kinds of rows there are, as shares of all rows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    text: float = Field(default=0.0, ge=0, le=1)
    """Share of plain-text rows from the stage's corpus; 1 trains a language model and nothing else."""
    task_weights: Literal["equal", "size"] = "equal"
    """Tasks are drawn equally often, or in proportion to their numbers of examples."""
