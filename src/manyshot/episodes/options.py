"""Options of this folder: how examples become training rows."""

from typing import Annotated, Literal

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
    order: Literal["shuffled", "balanced", "similar"] = "shuffled"
    """Which examples stand in a row, and in which order: `shuffled` at random; `balanced` draws a label for each place first,
    all labels equally likely (a task without labels is shuffled); `similar` takes one example with those most like it, the
    likest last but one and itself last."""
    header: bool = True
    """Begin rows with the task's instruction, where it has one."""
    cache: bool = Field(default=True, exclude=True)
    """Keep the encoded examples of large tasks in a cache on disk ($MANYSHOT_CACHE, by default ~/.cache/manyshot); false keeps
    them in memory. Changes no row, so it is no part of what a run is known by."""

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
    task_weights: Literal["equal", "size"] | Annotated[float, Field(ge=0, le=1)] = "equal"
    """Tasks are drawn equally often, in proportion to their numbers of examples, or, with a number alpha, to size^alpha:
    0 is `equal`, 1 is `size`."""
    symbols: float = Field(default=0.0, ge=0, le=1)
    """Share of the rows of tasks with labels in which each label is a made-up word, drawn anew for every row, and no
    instruction is given (symbol tuning, arXiv 2305.08298)."""
    flipped: float = Field(default=0.0, ge=0, le=1)
    """Share of those rows in which every label stands for another one, without instruction."""
    general: float | None = Field(default=None, ge=0, le=1)
    """Share of rows from the stage's general tasks (`data.general`); null is .10 where there are any, else 0."""
    icl_format: float = Field(default=1.0, ge=0, le=1)
    """Share of task rows that hold as many examples as `episodes` says; the others hold one example without shots. 1 is
    many-shot training, 0 plain fine-tuning, .20 plain fine-tuning beside which in-context learning is practised."""
    general_icl_format: float = Field(default=1.0, ge=0, le=1)
    """The same share among general rows."""

    @model_validator(mode="after")
    def _shares(self) -> "MixOptions":
        if self.symbols + self.flipped > 1 + 1e-9:
            raise ValueError(f"symbols is {self.symbols} and flipped {self.flipped}: together more than 1; lower one")
        if self.text < 1 and self.text + (self.general or 0) > 1 + 1e-9:
            raise ValueError(f"text is {self.text} and general {self.general}: together more than 1; lower one")
        return self
