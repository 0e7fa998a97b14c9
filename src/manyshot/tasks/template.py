r"""Template: how one example becomes prompt text and answer text. Knows nothing about tokens.

A plain episode is one header and then, for each example, three pieces that are encoded apart:

    Classify the question by the type of its answer.\n      header   (once)
    Input: Where is Belize located ?\nOutput:               prompt   )
     location                                               answer   ) once an example
    \n                                                      stop     )
"""

from dataclasses import dataclass

from manyshot.errors import TaskError

ONE_LINE_STOP = "\n"
MANY_LINES_STOP = "\n###\n"


@dataclass(frozen=True, slots=True)
class Template:
    """Text around an example's input and output.

    The answer carries its own leading space, because that is how a byte-level tokenizer joins it to the prompt. The
    stop text ends every answer: it is trained, scored and stopped on. End-of-sequence only ends a row, since between
    demonstrations it is foreign to every pretrained base.
    """

    header: str = "{instruction}\n"
    prompt: str = "Input: {input}\nOutput:"
    answer: str = " {output}"
    stop: str = ONE_LINE_STOP

    def __post_init__(self) -> None:
        for field in ("header", "prompt", "answer", "stop"):
            if not isinstance(getattr(self, field), str):
                raise TaskError(f"template.{field} is {getattr(self, field)!r}; it must be text")
        for field, placeholder in (("prompt", "{input}"), ("answer", "{output}")):
            if placeholder not in getattr(self, field):
                raise TaskError(
                    f'template.{field} is {getattr(self, field)!r}; it needs the placeholder "{placeholder}"'
                )
        if not self.stop:
            raise TaskError('template.stop is empty; an answer needs an end, for example "\\n"')

    def render_header(self, instruction: str) -> str:
        """Return the text before the first example; empty without an instruction."""
        return self.header.replace("{instruction}", instruction) if instruction else ""

    def render_prompt(self, text: str) -> str:
        """Return the text from which the answer follows."""
        return self.prompt.replace("{input}", text)

    def render_answer(self, output: str) -> str:
        """Return the answer without its stop text."""
        return self.answer.replace("{output}", output)

    def parse_answer(self, generated: str) -> str:
        """Return the output that a generated text stands for: cut at the stop text, freed from the answer's frame."""
        text = generated.split(self.stop, 1)[0]
        before, after = self.answer.split("{output}", 1)
        return text.strip().removeprefix(before.strip()).removesuffix(after.strip()).strip()


def default_template(outputs: list[str]) -> Template:
    """Return the default template with the stop text that these outputs allow."""
    return Template(stop=MANY_LINES_STOP if any("\n" in output for output in outputs) else ONE_LINE_STOP)
