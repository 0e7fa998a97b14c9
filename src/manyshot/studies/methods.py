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

# general rows without demonstrations; with them a tenth of the rows would be more than half of the tokens
_GENERAL = {"mix": {"general": 0.10, "general_icl_format": 0.0}}
_FIFTH = {"mix": {"icl_format": 0.20}}
_TENTH_AND_FIFTH = {"mix": {**_GENERAL["mix"], **_FIFTH["mix"]}}
# rows whose answers are held to the base and not trained, so that nothing but the term is new
_GENERAL_SHOTS = {"mix": {"general": 0.10, "general_icl_format": 1.0}}
_KL_ICL = {"weight": 1.0, "train_general": False}
_KL_INPUT = {"objective": {"preservation": {"kl_input": 0.4}}}
_MLP = {"preset": "mlp"}
_RANK_16 = {"preset": "lora", "lora": {"r": 16, "lora_alpha": 32}}
# the prompt has a learning rate of its own: it moves embeddings, not weights
_PROMPT = {
    "name": "prompt",
    "tuning": {"preset": "soft_prompt", "soft_prompt_tokens": 20},
    "training": {"args": {"learning_rate": 0.03}},
}
_FEW_SHOT_AUX = {
    "data": {"mix": {"icl_format": 0.50}},
    "objective": {"scope": "last_answer", "preservation": {"few_shot_aux": 1.0}},
}

PRESERVING: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    # a control for methods that spend half of the steps before the weights move
    "full_half": {"share_of_steps": 0.5},
    "lora_r4": {"tuning": {"preset": "lora", "lora": {"r": 4, "lora_alpha": 8}}},
    "lora": {"tuning": _RANK_16},
    "lora_r64": {"tuning": {"preset": "lora", "lora": {"r": 64, "lora_alpha": 128}}},
    "lora_qv": {"tuning": {"preset": "lora_qv"}},
    "value_only": {"tuning": {"preset": "value_only"}},
    "value_lora": {"tuning": {"preset": "value_lora"}},
    "qk_only": {"tuning": {"preset": "qk_only"}},
    "mlp": {"tuning": _MLP},
    "value_frozen": {"tuning": {"preset": "value_frozen"}},
    "full+mix10": {"data": _GENERAL},
    "full+icl_format20": {"data": _FIFTH},
    "full+mix10+icl_format20": {"data": _TENTH_AND_FIFTH},
    "full+kl_icl": {"data": _GENERAL_SHOTS, "objective": {"preservation": {"kl_icl": _KL_ICL}}},
    "full+kl_input": _KL_INPUT,
    "full+kl_input_strong": {"objective": {"preservation": {"kl_input": 2.0}}},
    "mlp+kl_input": {"tuning": _MLP, **_KL_INPUT},
    "value_frozen+kl_input": {"tuning": {"preset": "value_frozen"}, **_KL_INPUT},
    "lora+kl_input": {"tuning": _RANK_16, **_KL_INPUT},
    "full+kl_input+kl_icl": {
        "data": _GENERAL_SHOTS,
        "objective": {"preservation": {"kl_input": 0.4, "kl_icl": _KL_ICL}},
    },
    "full+l2_sp": {"objective": {"preservation": {"l2_sp": 0.01}}},
    "few_shot_aux": _FEW_SHOT_AUX,
    "lora_qv+mix10+icl_format20": {"tuning": {"preset": "lora_qv"}, "data": _TENTH_AND_FIFTH},
    "value_only+mix10+icl_format20": {"tuning": {"preset": "value_only"}, "data": _TENTH_AND_FIFTH},
    "value_only+few_shot_aux": {"tuning": {"preset": "value_only"}, **_FEW_SHOT_AUX},
    "qk_only+few_shot_aux": {"tuning": {"preset": "qk_only"}, **_FEW_SHOT_AUX},
    "lora+mix10+icl_format20": {"tuning": _RANK_16, "data": _TENTH_AND_FIFTH},
    "promot": {"stages": [_PROMPT, {"name": "tune", "tuning": {"soft_prompt_from": "prompt"}}]},
    "promot+mlp": {"stages": [_PROMPT, {"name": "tune", "tuning": {**_MLP, "soft_prompt_from": "prompt"}}]},
    "full+mix10+icl_format20+kl_icl": {
        "data": {"mix": {**_GENERAL_SHOTS["mix"], **_FIFTH["mix"]}},
        "objective": {"preservation": {"kl_icl": 1.0}},
    },
}
"""Name -> what differs in a stage of plain fine-tuning (all weights move, one example a row without shots), or in `stages`;
`share_of_steps` of those that every method has."""


def tuning_of(method: str) -> dict[str, Any]:
    """Return which parameters move in the last stage of a preserving method, as the recipe's `tuning` says it."""
    parts = PRESERVING[method]
    tuning = parts.get("stages", [parts])[-1].get("tuning", {})
    return {key: value for key, value in tuning.items() if key != "soft_prompt_from"}
