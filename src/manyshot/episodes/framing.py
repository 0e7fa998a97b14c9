"""Frame: the texts of a task's pieces, plain or as turns of a conversation. What the encoder turns into tokens."""

from dataclasses import dataclass
from typing import Any

from manyshot.episodes.chat import Turns, find_turns
from manyshot.tasks import Template


@dataclass(frozen=True, slots=True)
class Frame:
    """One template, with a task's instruction, ready for any input and output."""

    template: Template
    header: str
    """Text before the first example."""
    lead: str = ""
    """Text at the head of every user turn."""
    turns: Turns | None = None
    """Marks of the model's chat template; None for plain text."""

    @property
    def stop(self) -> str:
        """Text that ends every answer."""
        return self.template.stop if self.turns is None else self.turns.stop

    @property
    def cut(self) -> str:
        """Text at which a generated answer is over.

        The stop text; of a turn's, the mark without white space around it. A chat model may say the mark and then end the
        sequence, where between turns a line end follows.
        """
        return self.stop if self.turns is None else self.stop.strip()

    def question(self, text: str) -> str:
        """Return what a user turn says for an input."""
        return (self.lead + self.template.render_prompt(text)).strip()

    def reply(self, output: str) -> str:
        """Return what an assistant turn says for an output."""
        return self.template.render_answer(output).strip()

    def prompt(self, text: str) -> str:
        """Return the text from which the answer follows."""
        if self.turns is None:
            return self.template.render_prompt(text)
        return self.turns.user + self.question(text) + self.turns.assistant

    def answer(self, output: str) -> str:
        """Return the answer without its stop text."""
        return self.template.render_answer(output) if self.turns is None else self.turns.answer + self.reply(output)


def frame_of(template: Template, instruction: str, tokenizer: Any) -> Frame:
    """Return a template's frame for one tokenizer; raises EpisodeError where its chat template cannot be used."""
    header = template.render_header(instruction)
    if template.chat is None:
        return Frame(template, header)
    system = header.strip() if template.chat == "system" else ""
    turns = find_turns(tokenizer, system)
    return Frame(template, turns.header, header if template.chat == "user" else "", turns)
