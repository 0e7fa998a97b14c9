r"""Template: how one example becomes prompt text and answer text. Knows nothing about tokens.

A plain episode is one header and then, for each example, a prompt and an answer with its end. These three are encoded apart:

    Classify the question by the type of its answer.\n      header   (once)
    Input: Where is Belize located ?\nOutput:               prompt   )
     location                                               answer   ) once an example
    \n                                                      stop     )

A chat template has the same fields, but a model's own chat template puts its marks around them: the header becomes the
system turn (or heads every user turn), the prompt a user turn, the answer an assistant turn.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from manyshot.errors import TaskError

Chat = Literal["system", "user"]
ONE_LINE_STOP = "\n"
# for answers of several lines: the first that none of them holds
MANY_LINES_STOPS = ("\n###\n", "\n===\n", "\n@@@\n", "\n%%%\n", "\n<end of answer>\n")
USUAL_STOPS = (ONE_LINE_STOP, MANY_LINES_STOPS[0])


@dataclass(frozen=True, slots=True)
class Template:
    """Text around an example's input and output.

    The answer carries its own leading space, because that is how a byte-level tokenizer joins it to the prompt. The
    stop text ends every answer: it is trained, scored and stopped on. End-of-sequence only ends a row, since between
    demonstrations it is foreign to every pretrained base.

    `chat` says where the header goes in a conversation, `system` or `user`; None is plain text. In a conversation the model's
    chat template ends the answers, so `stop` is not used, and texts lose surrounding white space, as most chat templates
    take it off.
    """

    header: str = "{instruction}\n"
    prompt: str = "Input: {input}\nOutput:"
    answer: str = " {output}"
    stop: str = ONE_LINE_STOP
    chat: Chat | None = None

    def __post_init__(self) -> None:
        if self.chat is not None and self.chat not in get_args(Chat):
            raise TaskError(f"template.chat is {self.chat!r}; it says where the instruction goes: system or user")
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

    def refuses(self, output: str) -> bool:
        """Tell whether the stop text stands inside the answer, or begins at its end, which would end it too early."""
        return self.chat is None and _ends_early(self.render_answer(output), self.stop)

    def parse_answer(self, generated: str) -> str:
        """Return the output that a generated text stands for: cut at the stop text, freed from the answer's frame."""
        text = generated if self.chat is not None else generated.split(self.stop, 1)[0]
        before, after = self.answer.split("{output}", 1)
        return text.strip().removeprefix(before.strip()).removesuffix(after.strip()).strip()


def default_template(outputs: Iterable[str]) -> Template:
    r"""Return the default template with the first stop text that these outputs allow; "\n###\n" where they allow none."""
    stops = [ONE_LINE_STOP, *MANY_LINES_STOPS]
    for output in outputs:
        # every stop begins with a line end, and so does all that it could share with an answer
        if "\n" in output:
            stops = [stop for stop in stops if not _ends_early(output, stop)]
    return Template(stop=stops[0] if stops else MANY_LINES_STOPS[0])


def _ends_early(answer: str, stop: str) -> bool:
    """Tell whether a reader of the answer and its stop text would find a stop before the answer's end."""
    return (answer + stop).find(stop) < len(answer)


def as_chat(template: Template, chat: Chat) -> Template:
    """Return the template for conversations: turns say who speaks, so the default words around texts are left out.

    A task's own words stay, and so does its own choice of `chat`.
    """
    if template.chat is not None:
        return template
    plain, bare = Template(), {"prompt": "{input}", "answer": "{output}"}
    unchanged = {field: text for field, text in bare.items() if getattr(template, field) == getattr(plain, field)}
    return replace(template, chat=chat, stop=ONE_LINE_STOP, **unchanged)
