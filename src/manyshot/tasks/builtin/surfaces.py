"""Surface: the words and signs around a task's rows. Every part has its own; no text of one stands in another's."""

from dataclasses import dataclass

from manyshot.tasks.builtin.instructions import INSTRUCTIONS
from manyshot.tasks.builtin.lexicon import Part
from manyshot.tasks.template import Template

_PLAIN = " {output}"

FRAMES: dict[Part, tuple[Template, ...]] = {
    "train": (
        Template(prompt="Input: {input}\nOutput:", answer=_PLAIN),
        Template(prompt="Text: {input}\nAnswer:", answer=_PLAIN),
        Template(prompt="Q: {input}\nA:", answer=_PLAIN),
        Template(prompt="{input} ->", answer=_PLAIN),
        Template(prompt="Line: {input}\nMark:", answer=" <{output}>"),
        Template(prompt="You read: {input}\nYou write:", answer=_PLAIN),
        Template(prompt="Here is: {input}\nIt gives:", answer=_PLAIN),
        Template(prompt="-- {input} ==", answer=_PLAIN),
    ),
    "dev": (
        Template(prompt="Given: {input}\nThen:", answer=_PLAIN),
        Template(prompt="{input} =>", answer=_PLAIN),
        Template(prompt="Ask: {input}\nTell:", answer=" ({output})"),
    ),
    "held_out": (
        Template(prompt="Case: {input}\nResult:", answer=_PLAIN),
        Template(prompt="Query: {input}\nReply:", answer=_PLAIN),
        Template(prompt="{input} ||", answer=_PLAIN),
        Template(prompt="Seen: {input}\nSaid:", answer=" [{output}]"),
        Template(prompt="## {input}\n>>", answer=_PLAIN),
    ),
}
"""Part -> frames. A bare answer, " {output}", has no text of its own, so all parts may use it."""


@dataclass(frozen=True, slots=True)
class Surface:
    """An instruction, perhaps with places for labels and kinds, and the frame of every row."""

    instruction: str
    frame: Template


def surfaces_of(rule: str, part: Part) -> tuple[Surface, ...]:
    """Return the surfaces of a rule in one part, none where the rule is not used there.

    Frames go round from rule to rule, so a frame tells nothing about the rule.
    """
    instructions = INSTRUCTIONS[rule].get(part, ())
    frames = FRAMES[part]
    start = list(INSTRUCTIONS).index(rule)
    return tuple(Surface(text, frames[(start + i) % len(frames)]) for i, text in enumerate(instructions))


def template_pieces(part: Part) -> tuple[str, ...]:
    """Return the texts between the placeholders of a part's frames; single signs such as a bracket are left out."""
    texts = (text for frame in FRAMES[part] for text in (frame.prompt, frame.answer))
    pieces = (piece.strip() for text in texts for piece in text.replace("{output}", "{input}").split("{input}"))
    return tuple(dict.fromkeys(piece for piece in pieces if len(piece) > 1))
