"""Options of this folder: which tokens are trained, how their losses are averaged, and what holds the model to its start."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Scope = Literal["all_answers", "last_answer", "last_example", "all_tokens"]
Averaging = Literal["token", "answer", "sequence"]
FROM_SHOT = re.compile(r"from_shot\((\d+)\)")
Schedule = Literal["constant", "falling", "rising"]


class TermOptions(BaseModel):
    """A term of the loss: its weight, and how the weight changes over training. A plain number is a constant weight."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    weight: float = Field(gt=0)
    """Factor of the term."""
    schedule: Schedule = "constant"
    """`falling` goes linearly from 1 at the first step to 0 at the last, `rising` the other way; both times the weight."""


class KlInputOptions(TermOptions):
    """alpha * KL(p_tuned || p_base), in nats a position, where the row's own inputs are read (SelfAug, arXiv 2509.03934)."""

    positions: Literal["as_targets", "all"] = "as_targets"
    """A random choice of as many input positions as the row has targets, or all of them (the whole vocabulary at every
    position costs what the head on targets alone saves)."""


class KlIclOptions(TermOptions):
    """beta * KL(p_base || p_tuned), in nats a position, where the answers of general rows are predicted."""

    train_general: bool = True
    """Train the answers of general rows too; false only holds them to the base."""


class FewShotAuxOptions(TermOptions):
    """L_zero_shot + w_t * L_few_shot (arXiv 2602.23197).

    L_zero_shot is the loss over answers without an example before them, L_few_shot over all others, each averaged over
    its own kind. So rows of both kinds (`mix.icl_format` with the scope `last_answer`, the paper's form) and many-shot
    rows, whose first answer has no shots, both work. Plain text counts as without shots.
    """

    weight: float = Field(default=1.0, gt=0)
    """Factor of L_few_shot at the first step."""
    schedule: Schedule = "falling"
    """The paper's w_t = (T - 1 - t) / (T - 1)."""


class PreservationOptions(BaseModel):
    """Terms that hold a model to where it started, in any combination; the start is the model with adapters off, or a copy."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    kl_input: KlInputOptions | None = None
    """Keep the predictions over the inputs; .3 to .5 in the source."""
    kl_icl: KlIclOptions | None = None
    """Keep the predictions of answers in general rows, which `data.general` gives."""
    l2_sp: TermOptions | None = None
    """lambda * sum (theta - theta_0)^2 over the parameters that move (arXiv 1802.01483)."""
    few_shot_aux: FewShotAuxOptions | None = None
    """Train answers without shots, and those with shots ever less."""

    @field_validator("*", mode="before")
    @classmethod
    def _number_is_weight(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return {} if value else None
        return {"weight": value} if isinstance(value, (int, float)) else value

    @property
    def needs_reference(self) -> bool:
        """Whether the predictions of the model's start are needed."""
        return self.kl_input is not None or self.kl_icl is not None


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
    preservation: PreservationOptions = PreservationOptions()
    """What keeps in-context learning alive while a task is learned."""

    @field_validator("shot_weights")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ("uniform", "ramp") and not FROM_SHOT.fullmatch(value):
            raise ValueError("use uniform, ramp or from_shot(k) with a whole number k")
        return value
