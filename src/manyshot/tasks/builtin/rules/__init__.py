"""The rules: what the tasks are about, apart from words, labels and wording. One file a family."""

from manyshot.tasks.builtin.rules.classification import CLASSIFICATION
from manyshot.tasks.builtin.rules.math import MATH
from manyshot.tasks.builtin.rules.nli import NLI
from manyshot.tasks.builtin.rules.qa import QA
from manyshot.tasks.builtin.rules.rule import Binding, Rule
from manyshot.tasks.builtin.rules.summarization import SUMMARIZATION

RULES: dict[str, Rule] = {rule.name: rule for rule in (*CLASSIFICATION, *SUMMARIZATION, *QA, *NLI, *MATH)}

__all__ = ["RULES", "Binding", "Rule"]
