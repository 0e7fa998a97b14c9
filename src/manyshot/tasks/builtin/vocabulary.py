"""Every word and text of the generated suite, for writers of plain text about the same small world."""

from typing import Any

from manyshot.tasks.builtin.instructions import INSTRUCTIONS
from manyshot.tasks.builtin.labels import LABELS
from manyshot.tasks.builtin.lexicon import PARTS, SHARED, THING_KINDS, WORDS, Part
from manyshot.tasks.builtin.rules import RULES
from manyshot.tasks.builtin.surfaces import template_pieces


def suite_vocabulary() -> dict[str, Any]:
    """Return the suite's words and texts.

    `words`: kind -> part -> words; `thing_kinds`: part -> kinds of things, whose names tasks use too; `shared`: function
    words; `labels`, `instructions` and `templates` by part; `rules`: name -> the rule in a sentence.
    """
    return {
        "words": {kind: {part: list(words) for part, words in parts.items()} for kind, parts in WORDS.items()},
        "thing_kinds": {part: list(THING_KINDS[part]) for part in PARTS},
        "shared": list(SHARED),
        "labels": {part: list(LABELS[part]) for part in PARTS},
        "instructions": {part: list(instructions(part)) for part in PARTS},
        "templates": {part: list(template_pieces(part)) for part in PARTS},
        "rules": {rule.name: rule.meaning for rule in RULES.values()},
    }


def forbidden_texts() -> set[str]:
    """Return what no text for pre-training may contain: label words, instructions, pieces of frames."""
    return {text for part in PARTS for text in (*LABELS[part], *instructions(part), *template_pieces(part))}


def instructions(part: Part) -> tuple[str, ...]:
    """Return the instructions of a part's tasks, with places for labels and kinds."""
    return tuple(dict.fromkeys(text for parts in INSTRUCTIONS.values() for text in parts.get(part, ())))
