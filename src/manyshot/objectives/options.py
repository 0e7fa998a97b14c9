"""Options of this folder: which tokens are trained and how their losses are averaged."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

Scope = Literal["all_answers", "last_answer", "last_example", "all_tokens"]
Averaging = Literal["token", "answer", "sequence"]
FROM_SHOT = re.compile(r"from_shot\((\d+)\)")


class ObjectiveOptions(BaseModel):
    """The number to minimise."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    scope: Scope = "all_answers"
    """Trained tokens: every answer (many-shot fine-tuning), the last answer (MetaICL), the last example, or all."""
    averaging: Averaging = "answer"
    """Over the global batch: per token (long answers dominate), per answer (a label weighs as much as a summary), or per
    row (log-likelihood of a row's answers)."""
    shot_weights: str = "uniform"
    """Weight of an answer by the number of examples before it: `uniform`, `ramp` (grows from 1/n to 1 within a row of n),
    or `from_shot(k)` (answers with fewer than k examples before them are not trained)."""

    @field_validator("shot_weights")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("uniform", "ramp") and not FROM_SHOT.fullmatch(value):
            raise ValueError("use uniform, ramp or from_shot(k) with a whole number k")
        return value
