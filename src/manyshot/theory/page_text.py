"""The words and formulas of report.html: one `Part` a section, formulas as plain HTML that needs no script."""

from __future__ import annotations

from dataclasses import dataclass

T = "<i>θ</i>"
T0 = "<i>θ</i><sub>0</sub>"
N = "<i>n</i>"
N1 = "(<i>n</i>+1)"
D = "<i>d</i>"
S2 = "<i>s</i>²"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hold one section: a formula, what it says, the code that computes it and its figure."""

    title: str
    figure: str
    """File name in figures/, without its ending."""
    code: str
    formula: str
    text: str
    wide: bool = False
    """Whether the figure takes the whole width, below the words."""


INTRODUCTION = f"""
<p>One layer of linear attention, trained to do linear regression from examples in its prompt, then tuned to do one task
{T0} without a prompt. A token is <i>z</i> = (1, <i>x</i>, <i>y</i>), the query is (1, <i>x</i>, 0), and the prediction is
<i>f</i> = (1/<i>N</i>) Σ<sub>j</sub> (<i>z</i><sub>q</sub>ᵀ<i>Q</i> <i>z</i><sub>j</sub>)(<i>v</i>ᵀ<i>z</i><sub>j</sub>)
over <i>N</i> = {N}+1 tokens, with one merged key-query matrix <i>Q</i> and the row <i>v</i> of the value matrix that is read.
Below, ‖<i>t</i>‖² = <i>t</i>ᵀΣ<i>t</i> and ⟨<i>t</i>,<i>u</i>⟩ = <i>t</i>ᵀΣ<i>u</i>; the target task is {T0}, the foreign one
−{T0}, and every error includes the noise floor {S2}. Source: arXiv 2602.23197, re-derived; the many-task part is ours.</p>
"""

FORMULAS = (
    Part(
        title="When does tuning destroy in-context learning?",
        figure="errors",
        code="manyshot.theory.closed_forms",
        formula=f"Err({N}, {T}) = E (<i>f</i> − <i>y</i><sub>q</sub>)²",
        text="""Tuning all parameters without a prompt (F) reaches the noise floor on the target, but no number of examples
        helps any more, on any task. Tuning the value row alone (V) keeps the prompt useful and pays for it at zero
        shots. Lines: closed forms. Dots: Monte Carlo.""",
        wide=True,
    ),
    Part(
        title="P: pre-trained",
        figure="pretrained",
        code="closed_forms.error_pretrained",
        formula=f"""Err<sub>P</sub> = ‖{T}‖² [1 − 2<i>a</i>{N}/{N1} + <i>a</i>²{N}({N}+1+{D})/{N1}²]<br>
        &emsp;&emsp;&emsp;+ <i>a</i>²{N}{D}{S2}/{N1}² + {S2}""",
        text=f"""<i>v</i><sub>y</sub> = 1 and <i>Q</i><sub>xx</sub> = <i>a</i>Σ⁻¹. One example is worse than none: it says
        little about {D} unknowns. The best scale is <i>a</i>* = (<i>m</i>+1)/(<i>m</i>+1+{D}+{D}{S2}); the published code
        leaves the noise out and uses <i>m</i>/(<i>m</i>+1+{D}).""",
    ),
    Part(
        title="F: all parameters, zero-shot loss",
        figure="all_parameters",
        code="closed_forms.error_all",
        formula=f"""Err<sub>F</sub> = ‖{T} − {T0}/{N1}‖²<br>
        &emsp;&emsp;&emsp;+ {N}/{N1}² (‖{T0} + <i>ρ</i>{T}‖² + <i>ρ</i>²{S2}) + {S2}""",
        text=f"""<i>Q</i><sub>00</sub> = 1/<i>c</i>, <i>v</i><sub>x</sub> = <i>c</i>{T0}, <i>v</i><sub>y</sub> = <i>ω</i>, the
        rest 0; <i>ρ</i> = <i>ω</i>/<i>c</i> is not pinned by the loss. Every token gets the same score, so the prompt is
        averaged away: the error tends to ‖{T}‖² + {S2} for every task.""",
    ),
    Part(
        title="V: value only, zero-shot loss",
        figure="value_only",
        code="closed_forms.error_value",
        formula=f"""Err<sub>V</sub> = ‖{T}‖² − 2/{N1} [{N}⟨{T},<i>u</i>⟩ + <i>α</i>({D}+2)⟨{T},{T0}⟩]<br>
        &emsp;&emsp;&emsp;+ 1/{N1}² [{N}({N}+1+{D})‖<i>u</i>‖² + {N}{D}{S2}<i>w</i>²<br>
        &emsp;&emsp;&emsp;&emsp;+ <i>α</i>²({D}+2)({D}+4)‖{T0}‖² + 2<i>α</i>{N}({D}+2)⟨<i>u</i>,{T0}⟩] + {S2}<br>
        <i>u</i> = <i>α</i>{T0} + <i>w</i>{T},&emsp;<i>α</i> = 1/({D}+4)""",
        text=f"""<i>Q</i> stays at Σ⁻¹, so the zero-shot error cannot go below 2/({D}+4) ‖{T0}‖² + {S2}: the price of keeping
        the prompt. <i>w</i> = <i>v</i><sub>y</sub> is free under the zero-shot loss.""",
    ),
    Part(
        title="W: what the few-shot auxiliary picks",
        figure="trade_off",
        code="closed_forms.best_weight, many_tasks.many_task_weight",
        formula=f"""<i>w</i>*({N},{T}) = [{N1}‖{T}‖² − ({N}+3+2{D})⟨{T},{T0}⟩/({D}+4)]<br>
        &emsp;&emsp;&emsp;&emsp;/ [({N}+1+{D})‖{T}‖² + {D}{S2}]<br>
        <i>w</i><sub>MT</sub>({N}) = ({N}+1)/({N}+1+{D}+{D}{S2})""",
        text=f"""The auxiliary on {T0} pulls <i>w</i> one way, a foreign task the other. Averaged over many tasks the inner
        product vanishes and <i>w</i><sub>MT</sub> is the midpoint: the fair choice, but still a point on the same curve.""",
    ),
    Part(
        title="When does a prompt beat no prompt?",
        figure="crossing",
        code="experiment.describe_crossing",
        formula=f"smallest {N}: Err({N}′,{T}) &lt; Err(0,{T}) for all {N}′ ≥ {N}",
        text="""By how much the test task resembles the target. Close to the target the tuned models are best without a
        prompt; where a curve stops, 200 shots do not suffice. For F a prompt helps only on tasks unlike the target, and only
        by diluting what was learned.""",
    ),
    Part(
        title="SGD",
        figure="descent",
        code="descent.run_descent",
        formula="""ZS,&emsp;ZS + <i>w</i><sub>t</sub> FS,&emsp;ZS + <i>w</i><sub>t</sub> MT;&emsp;&emsp;<i>w</i><sub>t</sub> =
        (<i>T</i>−1−<i>t</i>)/(<i>T</i>−1), or 1 throughout where the name ends in “/1”""",
        text="""Does descent find these optima? FS is the paper's auxiliary (prompts of the target task), MT ours (prompts of
        fresh tasks). Dots are the trained models on drawn prompts; lines are the closed forms at the numbers that were
        learned. Moving the scores (KQ, Q, K) while the value row stays is the worst of all.""",
        wide=True,
    ),
    Part(
        title="Many tasks: does it escape the trade-off?",
        figure="many_tasks",
        code="many_tasks, axial.best_axial",
        formula=f"""Err<sub>two heads</sub> = Err<sub>P</sub> + [‖{T0}‖² − 2⟨{T0},{T}⟩(1 − <i>a</i>{N}/{N1})]/{N1}<br>
        one head: price ≈ min<sub><i>r</i></sub> 2({D}+2)<i>r</i>² + <i>λ</i>[<i>r</i>² + (1+{S2})/<i>m</i> ·
        ((1−({D}+2)<i>r</i>)/<i>r</i>)²] ~ <i>m</i><sup>−1/2</sup>""",
        text="""Zero-shot error on the target against few-shot error over all tasks, along the weight λ of the many-task loss.
        Value-only tuning keeps its price however long the prompt. All parameters of one head do better only with long
        prompts, because one score must serve both the target and the prompt; where its line jumps to a high few-shot error it has
        given up all directions but that of the target. A second head removes the conflict.""",
        wide=True,
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
.formula { font-family: Georgia, "Times New Roman", serif; background: #f5f6f8; padding: .8rem 1rem; border-radius: 6px;
  overflow-x: auto; }
.code { font: .85rem ui-monospace, monospace; color: #666; } .facts { color: #555; font-size: .9rem; }
figure { margin: 0; } figure img { width: 100%; height: auto; }
table { border-collapse: collapse; font-size: .85rem; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #555; padding-bottom: .4rem; caption-side: top; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #eee; }
th:first-child, td:first-child { text-align: left; }
small { color: #777; }
@media (max-width: 760px) { .beside .pair { grid-template-columns: 1fr; } table { display: block; overflow-x: auto; } }
</style></head><body>
<h1>Linear attention: when tuning destroys in-context learning</h1>
$introduction
<p class="facts">$facts</p>
$sections
</body></html>
"""
