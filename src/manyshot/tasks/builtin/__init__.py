"""The generated suite: five families of short tasks about a small world, with rules, words and wording of our own."""

from manyshot.tasks.builtin.rules import RULES, Binding, Rule
from manyshot.tasks.builtin.suite import (
    BuiltinTask,
    bind,
    build_tasks,
    builtin_task,
    draw_row,
    list_splits,
    make_task,
    rule_of,
    write_suite,
)
from manyshot.tasks.builtin.vocabulary import forbidden_texts, suite_vocabulary

__all__ = [
    "RULES",
    "Binding",
    "BuiltinTask",
    "Rule",
    "bind",
    "build_tasks",
    "builtin_task",
    "draw_row",
    "forbidden_texts",
    "list_splits",
    "make_task",
    "rule_of",
    "suite_vocabulary",
    "write_suite",
]
