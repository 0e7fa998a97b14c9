"""The words and formulas of report.html: one `Part` a section, formulas as plain HTML that needs no script."""

from __future__ import annotations

from dataclasses import dataclass

_T = "<i>θ</i>"
_T0 = "<i>θ</i><sub>0</sub>"
_N1 = "(<i>n</i>+1)"


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one section: a formula, what it says, the code that computes it and its figure."""

    title: str
    figure: str
    code: str
    formula: str
    text: str
    wide: bool = False


INTRODUCTION = (
    "<p>One layer of linear attention, trained to do linear regression from examples in its prompt, then tuned to do one task " f"{_T0} without a prompt. A token is <i>z</i> = (1, <i>x</i>, <i>y</i>), the query is (1, <i>x</i>, 0), and the prediction " "is <i>f</i> = (1/<i>N</i>) Σ<sub>j</sub> (<i>z</i><sub>q</sub>ᵀ<i>Q</i> <i>z</i><sub>j</sub>)(<i>v</i>ᵀ<i>z</i><sub>j</sub>) " f"over <i>N</i> = <i>n</i>+1 tokens. Below, ‖<i>t</i>‖² = <i>t</i>ᵀΣ<i>t</i>, ⟨<i>t</i>,<i>u</i>⟩ = <i>t</i>ᵀΣ<i>u</i>, " f"the target task is {_T0}, the foreign one −{_T0}, and every error includes the noise floor <i>s</i>². " "Source: arXiv 2602.23197, re-derived; the many-task part is ours.</p>"
)

FORMULAS = (
    Part(
        "When does tuning destroy in-context learning?",
        "errors",
        "manyshot.theory.closed_forms",
        "Err(<i>n</i>, <i>θ</i>) = E (<i>f</i> − <i>y</i><sub>q</sub>)²",
        "Tuning all parameters without a prompt (F) reaches the noise floor on the target, but no number of examples helps any " "more, on any task. Tuning the value row alone (V) keeps the prompt useful and pays for it at zero shots.", wide=True,
    ),
    Part(
        "P: pre-trained",
        "pretrained",
        "closed_forms.error_pretrained",
        f"Err<sub>P</sub> = ‖{_T}‖² [1 − 2<i>a</i><i>n</i>/{_N1} + <i>a</i>² <i>n</i>(<i>n</i>+1+<i>d</i>)/{_N1}²]<br>"
        f"&emsp;&emsp;+ <i>a</i>² <i>n</i> <i>d</i> <i>s</i>²/{_N1}² + <i>s</i>²",
        "<i>v</i><sub>y</sub> = 1 and <i>Q</i><sub>xx</sub> = <i>a</i>Σ⁻¹. One example is worse than none, because one example " "says little about five unknowns. The best scale is <i>a</i>* = (<i>m</i>+1)/(<i>m</i>+1+<i>d</i>+<i>d</i> <i>s</i>²); " "the published code leaves the noise out and uses <i>m</i>/(<i>m</i>+1+<i>d</i>).",
    ),
    Part(
        "F: all parameters, zero-shot loss",
        "all_parameters",
        "closed_forms.error_all",
        f"Err<sub>F</sub> = ‖{_T} − {_T0}/{_N1}‖²<br>&emsp;&emsp;+ <i>n</i>/{_N1}² (‖{_T0} + <i>ρ</i>{_T}‖² + <i>ρ</i>²<i>s</i>²) " "+ <i>s</i>²", f"<i>Q</i><sub>00</sub> = 1/<i>c</i>, <i>v</i><sub>x</sub> = <i>c</i>{_T0}, <i>v</i><sub>y</sub> = <i>ω</i>, the rest 0; " "<i>ρ</i> = <i>ω</i>/<i>c</i> is not pinned by the loss. Every token gets the same score, so the prompt is averaged " f"away: the error tends to ‖{_T}‖² + <i>s</i>² for every task.",
    ),
    Part(
        "V: value only, zero-shot loss",
        "value_only",
        "closed_forms.error_value",
        f"Err<sub>V</sub> = ‖{_T}‖² − 2/{_N1} [<i>n</i>⟨{_T},<i>u</i>⟩ + <i>α</i>(<i>d</i>+2)⟨{_T},{_T0}⟩]<br>"
        f"&emsp;+ 1/{_N1}² [<i>n</i>(<i>n</i>+1+<i>d</i>)‖<i>u</i>‖² + <i>n</i> <i>d</i> <i>s</i>²<i>w</i>²<br>"
        f"&emsp;&emsp;+ <i>α</i>²(<i>d</i>+2)(<i>d</i>+4)‖{_T0}‖² + 2<i>α</i><i>n</i>(<i>d</i>+2)⟨<i>u</i>,{_T0}⟩] + <i>s</i>²<br>" f"<i>u</i> = <i>α</i>{_T0} + <i>w</i>{_T},&emsp;<i>α</i> = 1/(<i>d</i>+4)", f"<i>Q</i> stays at Σ⁻¹, so the zero-shot error cannot go below 2/(<i>d</i>+4) ‖{_T0}‖² + <i>s</i>²: the price of " "keeping the prompt. <i>w</i> is free under the zero-shot loss.",
    ),
    Part(
        "W: what the few-shot auxiliary picks",
        "trade_off",
        "closed_forms.best_weight, many_tasks.many_task_weight",
        f"<i>w</i>*(<i>n</i>,{_T}) = [(<i>n</i>+1)‖{_T}‖² − (<i>n</i>+3+2<i>d</i>)⟨{_T},{_T0}⟩/(<i>d</i>+4)]<br>"
        f"&emsp;&emsp;&emsp;&emsp;/ [(<i>n</i>+1+<i>d</i>)‖{_T}‖² + <i>d</i> <i>s</i>²]<br>"
        "<i>w</i><sub>MT</sub>(<i>n</i>) = (<i>n</i>+1)/(<i>n</i>+1+<i>d</i>+<i>d</i> <i>s</i>²)",
        f"The auxiliary on {_T0} pulls <i>w</i> one way, a foreign task the other. Averaged over many tasks the inner product " "vanishes and <i>w</i><sub>MT</sub> is the midpoint: the fair choice, though still on the same curve.",
    ),
    Part(
        "When does a prompt beat no prompt?",
        "crossing",
        "experiment.describe_crossing",
        f"smallest <i>n</i>: Err(<i>n</i>′,{_T}) &lt; Err(0,{_T}) for all <i>n</i>′ ≥ <i>n</i>",
        "By how much the test task resembles the target. Near the target the tuned models are best with no prompt at all; " "a point is missing where 200 shots do not suffice. For F a prompt helps only tasks that point away from the target, " "and only by diluting what was learned.",
    ),
    Part(
        "SGD",
        "descent",
        "descent.run_descent",
        "ZS, ZS + <i>w</i><sub>t</sub> FS, ZS + <i>w</i><sub>t</sub> MT,&emsp;<i>w</i><sub>t</sub> = (<i>T</i>−1−<i>t</i>)/(<i>T</i>−1);" "&emsp;“/1”: <i>w</i><sub>t</sub> = 1 throughout", "Does descent find these optima? Dots are the trained models on drawn prompts; lines are the closed forms at the numbers " "that were learned. Moving the scores (KQ, Q, K) while the value row stays is the worst of all.", wide=True,
    ),
    Part(
        "Many tasks: does it escape the trade-off?",
        "many_tasks",
        "many_tasks, axial.best_axial",
        f"Err<sub>2 heads</sub> = Err<sub>P</sub> + [‖{_T0}‖² − 2⟨{_T0},{_T}⟩(1 − <i>a</i><i>n</i>/{_N1})]/{_N1}<br>"
        "one head: price ≈ min<sub><i>r</i></sub> 2(<i>d</i>+2)<i>r</i>² + <i>λ</i>[<i>r</i>² + "
        "(1+<i>s</i>²)/<i>m</i> · ((1−(<i>d</i>+2)<i>r</i>)/<i>r</i>)²] ~ <i>m</i><sup>−1/2</sup>",
        "Zero-shot error on the target against few-shot error over all tasks, along the weight λ of the many-task loss. " "Value-only tuning stays at its price for any length of prompt. All parameters of one head do better only with long " "prompts, because one score must serve both the target and the prompt. A second head removes the conflict.", wide=True,
    ),
)

SECTION = """<section class="$layout"><h2>$title</h2>
<div class="pair"><div class="words"><div class="formula">$formula</div><p>$text</p><p class="code">$code</p></div>
<figure>$figure</figure></div>
$note</section>"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Linear attention: when tuning destroys in-context learning</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
section { border-top: 1px solid #ddd; padding: 1.4rem 0; }
.beside .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; align-items: center; }
.formula { font-family: Georgia, "Times New Roman", serif; background: #f5f6f8; padding: .8rem 1rem; border-radius:
6px; overflow-x: auto; } .code { font: .85rem ui-monospace, monospace; color: #666; } .facts { color: #555; font-size:
.9rem; } figure { margin: 0; } figure img { width: 100%; height: auto; } table { border-collapse: collapse; font-size:
.85rem; margin: 1rem 0; font-variant-numeric: tabular-nums; } caption { text-align: left; color: #555; padding-bottom:
.4rem; caption-side: top; } th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #eee; }
th:first-child, td:first-child { text-align: left; } small { color: #777; } @media (max-width: 760px) { .beside .pair
{ grid-template-columns: 1fr; } table { display: block; overflow-x: auto; } } </style></head><body> <h1>Linear
attention: when tuning destroys in-context learning</h1> $introduction <p class="facts">$facts</p> $sections
</body></html>
"""
