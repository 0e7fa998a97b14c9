"""What the sources claim about keeping in-context learning, beside what this study measured: one line a claim.

A claim is a difference that its source says is above 0. It agrees when the 95 % interval lies above 0, does not when it lies
below, and is not told apart where the interval holds 0. Claims about methods that were not run are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manyshot.studies.preservation.report import Outcome, difference, rank_correlation
from manyshot.studies.preservation.tasks import DIVERSE

YES, NO, OPEN = "yes", "no", "not told apart"
DIGEST = "a digest of forgetting during fine-tuning (unverified)"
# methods that differ in nothing but which parameters move
# of answers on other tasks, the share that a tuned model gives in the tuned task's format (ProMoT says > .90)
MOST_IN_FORMAT = 0.90
TUNINGS = (
    "full",
    "lora_r4",
    "lora",
    "lora_r64",
    "lora_qv",
    "value_only",
    "value_lora",
    "qk_only",
    "mlp",
    "value_frozen",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """`of` of one method less that of the other, which the source says is above 0."""

    claim: str
    source: str
    one: str
    other: str
    of: str = "icl_drop"


CLAIMS = (
    Claim(
        "full fine-tuning forgets more than LoRA (about .31 against .09)", f"{DIGEST}; arXiv 2405.09673", "full", "lora"
    ),
    Claim("LoRA learns less of the target than full fine-tuning", "arXiv 2405.09673", "full", "lora", "target_gain"),
    Claim(
        "tuning values alone keeps in-context learning where all parameters harm it",
        "arXiv 2602.23197",
        "full",
        "value_only",
    ),
    Claim("tuning queries and keys harms it more than tuning values", "arXiv 2602.23197", "qk_only", "value_only"),
    Claim(
        "the few-shot auxiliary loss helps the target with shots",
        "arXiv 2602.23197",
        "few_shot_aux",
        "full",
        "target_icl_gain",
    ),
    Claim("and harms in-context learning of other tasks", "arXiv 2602.23197", "few_shot_aux", "full"),
    Claim("10 % general data keeps in-context learning", DIGEST, "full", "full+mix10"),
    Claim("20 % rows of k-shot format keep in-context learning", DIGEST, "full", "full+icl_format20"),
    Claim("holding answers of general k-shot rows to the base (kl_icl) keeps it", DIGEST, "full", "full+kl_icl"),
    Claim(
        "holding the inputs' predictions to the base (kl_input) keeps it", "arXiv 2509.03934", "full", "full+kl_input"
    ),
    Claim("holding the weights to the base (l2_sp) keeps it", "arXiv 1802.01483", "full", "full+l2_sp"),
    Claim("tuning behind a soft prompt first (ProMoT) keeps it", "arXiv 2211.00635", "full", "promot"),
    Claim("more than as many steps on the weights without the prompt", "arXiv 2211.00635", "full_half", "promot"),
    Claim("LoRA on queries and values (rank 16) forgets less than full fine-tuning", DIGEST, "full", "lora_qv"),
    Claim("kl_input keeps it in LoRA too", "arXiv 2509.03934", "lora", "lora+kl_input"),
    Claim("tuning on all tasks forgets less than on one", f"arXiv 2211.00635; {DIGEST}", "full", f"full, {DIVERSE}"),
    Claim("the same for LoRA", f"arXiv 2211.00635; {DIGEST}", "lora", f"lora, {DIVERSE}"),
)
_NAMES = {
    "icl_drop": "ICL drop",
    "target_gain": "target gain",
    "target_icl_gain": "target gain with shots",
}


def measure_claims(outcomes: Mapping[str, Outcome]) -> list[dict[str, Any]]:
    """Return each claim whose methods were run: {claim, source, claimed, measured, difference, ci95, agree}."""
    found = []
    for c in CLAIMS:
        if c.one in outcomes and c.other in outcomes:
            one, other = outcomes[c.one], outcomes[c.other]
            result = difference(one, other, c.of)
            values = [f"{name} {_shown(o.report[c.of])}" for name, o in ((c.one, one), (c.other, other))]
            measured = f"{_NAMES[c.of]}: {', '.join(values)}; difference {_with_interval(result)}"
            claimed = f"{_NAMES[c.of]} of {c.one} above that of {c.other}"
            found.append(_line(c.claim, c.source, claimed, measured, result))
    if (mixed := outcomes.get("full+mix10")) is not None:
        found.append(_within(mixed))
    # the same number as above, of which two sources say opposite things
    if "full" in outcomes and "full+icl_format20" in outcomes:
        result = difference(outcomes["full"], outcomes["full+icl_format20"], "icl_drop")
        agree = {YES: NO, NO: YES, OPEN: OPEN}[_agree(result["ci95"])]
        text = "single-task tuning with shots in its rows does not protect in-context learning"
        claimed, measured = "full keeps as much as full+icl_format20", f"ICL drop: difference {_with_interval(result)}"
        found.append({**_line(text, "arXiv 2211.00635", claimed, measured, result), "agree": agree})
    if "full" in outcomes and (ratio := outcomes["full"].report["format_ratio"]) is not None:
        text = "a model tuned on one task answers other tasks in its format (more than 90 %)"
        measured = f"{ratio:.1%} of the answers elsewhere"
        line = _line(text, "arXiv 2211.00635", f"more than {MOST_IN_FORMAT:.0%}", measured, {"ci95": None})
        found.append({**line, "agree": YES if ratio > MOST_IN_FORMAT else NO})
    ranked = [outcomes[name] for name in TUNINGS if name in outcomes]
    if len(ranked) >= 4:
        result = rank_correlation(ranked)
        measured = (
            f"rank correlation of trained parameters and ICL drop {_with_interval(result)}, {len(ranked)} methods"
        )
        found.append(_line("the fewer parameters move, the less is forgotten", DIGEST, "above 0", measured, result))
    return found


def claims_of_where(where: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is claimed of where in-context learning lives; one model, so without intervals."""
    cosine, back = where["gradient_cosine"], where["restored"]["qkvo"]["all"]["recovered"]
    text = "gradients of a task and of its shuffled labels agree at first (.98) and part as it is learned (.05 to .20)"
    measured = f"cosine {cosine['base']:.2f} before, {cosine['tuned']:.2f} after, one model"
    parted = cosine["base"] >= 0.9 and cosine["tuned"] <= 0.2
    found = [_line(text, "arXiv 2211.00635", ".98, then .05 to .20", measured, {"ci95": None})]
    found[0]["agree"] = YES if parted else NO
    text = "in-context learning is kept in the attention projections, which tuning overwrites"
    measured = (
        "nothing was lost" if back is None else f"the base's q, k, v and o bring {back:.0%} of the loss back, one model"
    )
    found.append(_line(text, DIGEST, "most comes back with them", measured, {"ci95": None}))
    found[1]["agree"] = OPEN if back is None else YES if back > 0.5 else NO
    return found


def _within(mixed: Outcome, most: float = 0.05) -> dict[str, Any]:
    value, bounds = mixed.report["icl_drop"], mixed.report["icl_drop_ci95"]
    agree = OPEN if bounds is None else YES if bounds[1] <= most else NO if bounds[0] > most else OPEN
    measured = f"ICL drop {_with_interval({'difference': value, 'ci95': bounds})}"
    line = _line("with 10 % general data at most .05 is lost", DIGEST, f"at most {most}", measured, {"ci95": bounds})
    return {**line, "difference": value, "agree": agree}


def _line(claim: str, source: str, claimed: str, measured: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "claim": claim,
        "source": source,
        "claimed": claimed,
        "measured": measured,
        "difference": result.get("difference"),
        "ci95": result["ci95"],
        "agree": _agree(result["ci95"]),
    }


def _agree(bounds: list[float] | None) -> str:
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return OPEN
    return YES if bounds[0] > 0 else NO


def _with_interval(result: Mapping[str, Any]) -> str:
    if result["difference"] is None:
        return "not known"
    bounds = "" if result["ci95"] is None else f" [{result['ci95'][0]:+.3f}, {result['ci95'][1]:+.3f}]"
    return f"{result['difference']:+.3f}{bounds}"


def _shown(value: float | None) -> str:
    return "not known" if value is None else f"{value:+.3f}"
