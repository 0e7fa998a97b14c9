"""The methods that the studies compare, each in one line. To add one, add a line here."""

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
    shot_weights: str = "uniform"
    """Weight of an answer by the number of examples before it."""
    dedicated: bool = False
    """One model a task, instead of one over all tasks."""
    answers_of: str | None = None
    """Stop when as many answers were supervised as this method has in all its steps; None takes the preset's steps."""

    def stage(self, budget_tokens: int, symbols: float = 0.0) -> dict[str, Any]:
        """Return the parts of a recipe's stage in which methods differ.

        `symbols` is the share of rows under made-up labels; a row without demonstrations never is, as nothing would say
        what they mean.
        """
        episodes: dict[str, Any] = {"budget_tokens": budget_tokens}
        if self.examples == "one":
            episodes["max_examples"] = 1
        elif self.examples == "few":
            episodes["max_examples"] = FEW
        data: dict[str, Any] = {"episodes": episodes}
        if symbols and self.examples != "one":
            data["mix"] = {"symbols": symbols}
        return {"data": data, "objective": {"scope": self.scope, "shot_weights": self.shot_weights}}


METHODS: Mapping[str, Method] = {
    "zero_shot_ft": Method("instruction and one example, its answer trained", "all_answers", "one"),
    "few_shot_ft": Method("17 examples, the last answer trained (MetaICL)", "last_answer", "few"),
    "manyshot_last": Method("many examples, the last answer trained", "last_answer", "full"),
    "manyicl": Method("many examples, every answer trained", "all_answers", "full"),
    "manyicl_short": Method(
        "as manyicl, ended at few_shot_ft's number of supervised answers",
        "all_answers",
        "full",
        answers_of="few_shot_ft",
    ),
    "manyicl_late": Method("as manyicl, answers from the fifth on", "all_answers", "full", "from_shot(4)"),
    "all_tokens": Method("many examples, every token trained", "all_tokens", "full"),
    "dedicated_ft": Method("one model a task, one example a row", "all_answers", "one", dedicated=True),
}
"""Name -> method. `base`, the model before training, needs none."""
BASE = "base"

_GENERAL = {"mix": {"general": 0.10}}
_FIFTH = {"mix": {"icl_format": 0.20}}
_TENTH_AND_FIFTH = {"mix": {"general": 0.10, "icl_format": 0.20}}
# the prompt has a learning rate of its own: it moves embeddings, not weights
_PROMPT = {
    "name": "prompt",
    "tuning": {"preset": "soft_prompt", "soft_prompt_tokens": 20},
    "training": {"args": {"learning_rate": 0.03}},
}

PRESERVING: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "lora_r4": {"tuning": {"preset": "lora", "lora": {"r": 4, "lora_alpha": 8}}},
    "lora": {"tuning": {"preset": "lora", "lora": {"r": 16, "lora_alpha": 32}}},
    "lora_r64": {"tuning": {"preset": "lora", "lora": {"r": 64, "lora_alpha": 128}}},
    "lora_qv": {"tuning": {"preset": "lora_qv"}},
    "value_only": {"tuning": {"preset": "value_only"}},
    "value_lora": {"tuning": {"preset": "value_lora"}},
    "qk_only": {"tuning": {"preset": "qk_only"}},
    "mlp": {"tuning": {"preset": "mlp"}},
    "value_frozen": {"tuning": {"preset": "value_frozen"}},
    "full+mix10": {"data": _GENERAL},
    "full+icl_format20": {"data": _FIFTH},
    "full+mix10+icl_format20": {"data": _TENTH_AND_FIFTH},
    "full+kl_icl": {"data": _GENERAL, "objective": {"preservation": {"kl_icl": 1.0}}},
    "full+kl_input": {"objective": {"preservation": {"kl_input": 0.4}}},
    "full+kl_input_strong": {"objective": {"preservation": {"kl_input": 2.0}}},
    "mlp+kl_input": {"tuning": {"preset": "mlp"}, "objective": {"preservation": {"kl_input": 0.4}}},
    "value_frozen+kl_input": {"tuning": {"preset": "value_frozen"}, "objective": {"preservation": {"kl_input": 0.4}}},
    "full+kl_input+kl_icl": {"data": _GENERAL, "objective": {"preservation": {"kl_input": 0.4, "kl_icl": 1.0}}},
    "full+l2_sp": {"objective": {"preservation": {"l2_sp": 0.01}}},
    "few_shot_aux": {
        "data": {"mix": {"icl_format": 0.50}},
        "objective": {"scope": "last_answer", "preservation": {"few_shot_aux": 1.0}},
    },
    "lora_qv+mix10+icl_format20": {"tuning": {"preset": "lora_qv"}, "data": _TENTH_AND_FIFTH},
    "value_only+mix10+icl_format20": {"tuning": {"preset": "value_only"}, "data": _TENTH_AND_FIFTH},
    "lora+mix10+icl_format20": {
        "tuning": {"preset": "lora", "lora": {"r": 16, "lora_alpha": 32}},
        "data": _TENTH_AND_FIFTH,
    },
    "promot": {"stages": [_PROMPT, {"name": "tune", "tuning": {"soft_prompt_from": "prompt"}}]},
    "promot+mlp": {"stages": [_PROMPT, {"name": "tune", "tuning": {"preset": "mlp", "soft_prompt_from": "prompt"}}]},
    "full+mix10+icl_format20+kl_icl": {"data": _TENTH_AND_FIFTH, "objective": {"preservation": {"kl_icl": 1.0}}},
}
"""Name -> what differs in a stage of plain fine-tuning (all weights move, one example a row without shots), or in `stages`."""


def tuning_of(method: str) -> dict[str, Any]:
    """Return which parameters move in the last stage of a preserving method, as the recipe's `tuning` says it."""
    parts = PRESERVING[method]
    tuning = parts.get("stages", [parts])[-1].get("tuning", {})
    return {key: value for key, value in tuning.items() if key != "soft_prompt_from"}
