"""Conversations, lists of {role, content}: the last assistant turn is the output, what precedes it the input."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from manyshot.errors import TaskError

# newer interfaces call it developer
_SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Survey:
    """What many conversations have in common."""

    system: str | None
    """The system text that all open with; None unless it is one and the same."""
    n_rows: int
    n_opened: int
    """Conversations that open with a system turn."""
    n_flattened: int
    """Conversations with several turns before the answer, the shared system turn aside: their input is headed turns."""


def conversation(place: str, messages: Any, *, without_system: bool = False) -> list[str]:
    """Return [input, output] of a list of {role, content}: the last assistant turn, and all that precedes it.

    One user turn before it is the input as it is; of more turns each is headed by its role. `without_system` leaves the system
    turn that opens it out.
    """
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise TaskError(f"{place}: messages must be a list of objects with role and content")
    lacking = [key for key in ("role", "content") if messages and not any(key in message for message in messages)]
    if lacking:
        raise TaskError(
            f"{place}: turns have {', '.join(map(str, messages[0])) or 'no fields'}, and no {' and no '.join(lacking)}; "
            "name these fields role and content, and the roles system, user and assistant"
        )
    if without_system and system_text(messages) is not None:
        messages = messages[1:]
    answers = [i for i, message in enumerate(messages) if message.get("role") == "assistant"]
    if not answers or answers[-1] == 0:
        raise TaskError(f"{place}: messages hold no assistant turn behind a user turn; the last one is the answer")
    before = messages[: answers[-1]]
    output = _content(place, messages[answers[-1]])
    if len(before) == 1 and before[0].get("role") == "user":
        return [_content(place, before[0]), output]
    turns = [f"{str(message.get('role')).capitalize()}: {_content(place, message)}" for message in before]
    return ["\n".join(turns), output]


def system_text(messages: Any) -> str | None:
    """Return the text of the system turn that opens a conversation; None without one."""
    first = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(first, dict) or first.get("role") not in _SYSTEM_ROLES:
        return None
    try:
        return _content("", first).strip()
    except TaskError:
        return None


def survey(conversations: Iterable[Any]) -> Survey:
    """Return what conversations have in common; what is none, or has no answer, is left out."""
    systems: set[str | None] = set()
    n_turns: list[int] = []
    n_opened = 0
    for messages in conversations:
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            continue
        answers = [i for i, message in enumerate(messages) if message.get("role") == "assistant"]
        if answers and answers[-1] > 0:
            text = system_text(messages)
            n_opened += text is not None
            n_turns.append(answers[-1])
            # an input has to remain without it
            systems.add(text or None if answers[-1] > 1 else None)
    shared = systems.pop() if len(systems) == 1 else None
    return Survey(shared, len(n_turns), n_opened, sum(n - (shared is not None) > 1 for n in n_turns))


def _content(place: str, message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise TaskError(f"{place}: a {message.get('role')} turn has content {content!r}; only text is read")
    return content
