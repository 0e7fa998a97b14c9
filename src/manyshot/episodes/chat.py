r"""Turns: the marks that a model's chat template puts around texts, found by rendering growing conversations.

With R_k the rendering of k answered questions and one more question, ready for its answer:

    R_0    header | user  q_0  assistant
    R_1    R_0    | answer  a_0  stop  | user  q_1  assistant
    R_2    R_1    | answer  a_1  stop  | user  q_2  assistant

Where every R_k begins R_k+1, and the same marks stand around every turn, a conversation is a concatenation of pieces that do
not depend on their place, as a plain episode is. Any other template is refused by name: its tokens could not be encoded once,
nor a prefix be read once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from manyshot.errors import EpisodeError

# Llama 3 writes the day into its system turn; rows must not change overnight
_DATE = "26 Jul 2024"
_N_PROBED = 3


@dataclass(frozen=True, slots=True)
class Turns:
    """Text before the first turn, and the marks around a question and its answer."""

    header: str
    user: str
    """Opens a user turn."""
    assistant: str
    """Closes it and opens the assistant turn: the answer follows."""
    answer: str
    """What stands before an answer's own text and is not there before it is given; often nothing."""
    stop: str
    """Ends an answer: trained, scored and stopped on."""

    def render(self, questions: Sequence[str], answers: Sequence[str]) -> str:
        """Return a conversation of answered questions and one more, ready for its answer."""
        done = zip(questions, answers, strict=False)
        pairs = (f"{self.user}{q}{self.assistant}{self.answer}{a}{self.stop}" for q, a in done)
        return self.header + "".join(pairs) + self.user + questions[-1] + self.assistant


def find_turns(tokenizer: Any, system: str) -> Turns:
    """Return the marks of a tokenizer's chat template, with a system turn unless `system` is empty.

    Raises EpisodeError, with the template's owner and the place where it goes astray, when it is not prefix-stable.
    """
    owner = f"the chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    if not tokenizer.chat_template:
        raise EpisodeError(f"{owner} is missing: the tokenizer has none; leave out chat, or use a chat model")
    try:
        return _probe(tokenizer, owner, system)
    except EpisodeError as error:
        if not system:
            raise EpisodeError(f"{error}; leave out chat, or give the tokenizer another chat template") from None
        try:
            _probe(tokenizer, owner, "")
        except EpisodeError:
            raise EpisodeError(f"{error}; leave out chat, or give the tokenizer another chat template") from None
        raise EpisodeError(f"{error}; use chat: user, which needs no system turn") from None


def _probe(tokenizer: Any, owner: str, system: str) -> Turns:
    # words that no template holds and that no template changes
    questions, answers = ([f"{word}{i}{word}" for i in range(_N_PROBED + 1)] for word in ("Aquestionq", "Ananswera"))
    rendered = [
        _render(tokenizer, owner, conversation(system, questions[: k + 1], answers[:k])) for k in range(_N_PROBED + 1)
    ]
    for k, (shorter, longer) in enumerate(itertools.pairwise(rendered)):
        if not longer.startswith(shorter):
            raise EpisodeError(
                f"{owner} is not prefix-stable: {k + 1} answered turns do not begin as {k} do, "
                f"{_difference(longer, shorter)}"
            )
    closed = _render(tokenizer, owner, conversation(system, questions[:1], answers[:1]), open_answer=False)
    try:
        opening, assistant = rendered[0].split(questions[0])
        answer, between = rendered[1][len(rendered[0]) :].split(questions[1])[0].split(answers[0])
        last = closed.rsplit(answers[0], 1)[1]
    except (ValueError, IndexError):
        raise EpisodeError(f"{owner} does not show every turn once and as it is") from None
    stop = _common_start(tokenizer, between, last)
    if not stop.strip():
        raise EpisodeError(f"{owner} ends the last answer with {last!r} and goes on after others with {between!r}")
    user = between.removeprefix(stop)
    if not opening.endswith(user):
        raise EpisodeError(
            f"{owner} opens the first user turn with {opening[-60:]!r} and later ones with {user!r}, so that examples cannot "
            "change places"
        )
    turns = Turns(opening.removesuffix(user), user, assistant, answer, stop)
    for k, whole in enumerate(rendered):
        if whole != (composed := turns.render(questions[: k + 1], answers[:k])):
            raise EpisodeError(
                f"{owner} renders turn {k + 1} other than those before it, {_difference(whole, composed)}, so that examples "
                "cannot change places"
            )
    return turns


def _common_start(tokenizer: Any, between: str, last: str) -> str:
    """Return what ends an answer whatever follows: all that ends the last one, or the tokens that it begins with elsewhere too.

    Some templates end a whole conversation with one more token.
    """
    if between.startswith(last):
        return last
    ids = zip(*(tokenizer(text, add_special_tokens=False)["input_ids"] for text in (between, last)), strict=False)
    common = tokenizer.decode([a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], ids)])
    return common if between.startswith(common) and last.startswith(common) else ""


def conversation(system: str, questions: Sequence[str], answers: Sequence[str]) -> list[dict[str, str]]:
    """Return the messages of answered questions and, where there is one more question, that one."""
    messages = [{"role": "system", "content": system}] if system else []
    for i, question in enumerate(questions):
        messages.append({"role": "user", "content": question})
        if i < len(answers):
            messages.append({"role": "assistant", "content": answers[i]})
    return messages


def _render(tokenizer: Any, owner: str, messages: list[dict[str, str]], *, open_answer: bool = True) -> str:
    try:
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=open_answer, date_string=_DATE
        )
    except Exception as error:  # templates raise what they like
        reason = " ".join(str(error).split())[:160]
        raise EpisodeError(f"{owner} refuses a conversation of plain turns ({reason})") from None


def _difference(longer: str, shorter: str) -> str:
    """Say where two texts part."""
    n = min(len(longer), len(shorter))
    at = next((i for i in range(n) if longer[i] != shorter[i]), n)
    return f"they part at character {at}: {longer[at : at + 30]!r} against {shorter[at : at + 30]!r}"


def render_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    """Return the token ids of a conversation that waits for an answer, as the tokenizer itself makes them."""
    made = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, date_string=_DATE)
    return list(made["input_ids"])
