"""The methods that a ladder compares, each in one line: what its rows hold and which tokens are trained.

To add a method, add a line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from manyshot.objectives import Scope

Examples = Literal["one", "few", "full"]
# 16 demonstrations and the query, as MetaICL has it (arXiv 2110.15943)
FEW = 17


@dataclass(frozen=True, slots=True)
class Method:
    """How one method of the ladder trains."""

    meaning: str
    """In words, for reports."""
    scope: Scope
    """Which tokens are trained."""
    examples: Examples
    """Examples a row: one; 17, or what fits of them; or what fits."""
    dedicated: bool = False
    """One model a task, instead of one over all tasks."""

    def stage(self, budget_tokens: int) -> dict[str, Any]:
        """Return the parts of a recipe's stage in which methods differ."""
        episodes: dict[str, Any] = {"budget_tokens": budget_tokens}
        if self.examples == "one":
            episodes["max_examples"] = 1
        elif self.examples == "few":
            episodes["max_examples"] = FEW
        return {"data": {"episodes": episodes}, "objective": {"scope": self.scope}}


METHODS: Mapping[str, Method] = {
    "zero_shot_ft": Method("instruction and one example, its answer trained", "all_answers", "one"),
    "few_shot_ft": Method("17 examples, the last answer trained (MetaICL)", "last_answer", "few"),
    "manyshot_last": Method("many examples, the last answer trained", "last_answer", "full"),
    "manyicl": Method("many examples, every answer trained", "all_answers", "full"),
    "all_tokens": Method("many examples, every token trained", "all_tokens", "full"),
    "dedicated_ft": Method("one model a task, one example a row", "all_answers", "one", dedicated=True),
}
"""Name -> method. `base`, the model before training, needs none."""
BASE = "base"
