"""Task and Example: what is learned. Plain data; a task that exists is valid."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from manyshot.errors import TaskError, nearest
from manyshot.files import hash_text
from manyshot.tasks.lazy_rows import LazyRows
from manyshot.tasks.metrics import METRICS
from manyshot.tasks.template import Template


@dataclass(frozen=True, slots=True)
class Example:
    """One input with its output, both plain text."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Task:
    """A named mapping from inputs to outputs, shown by examples.

    `train` is the pool that demonstrations and training answers come from, `test` the queries. `labels` lists the
    possible outputs of a task with a closed set of answers, else it is None and answers are generated.
    """

    name: str
    family: str
    instruction: str
    metric: str
    """One of METRICS."""
    labels: tuple[str, ...] | None
    train: Sequence[Example]
    test: Sequence[Example] = ()
    template: Template = field(default_factory=Template)
    source: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise TaskError(
                f'task "{self.name}": metric "{self.metric}" is unknown{nearest(self.metric, METRICS)}; '
                f"use one of {', '.join(METRICS)}"
            )
        if not self.train:
            raise TaskError(f'task "{self.name}" has no training examples; it needs at least one')
        for split, examples in (("train", self.train), ("test", self.test)):
            # rows of a large file are compared with the same when they are read
            if isinstance(examples, LazyRows) and examples.checks[1:] == (self.labels, self.template):
                continue
            for number, example in enumerate(examples, start=1):
                self._check(split, number, example)

    def _check(self, split: str, number: int, example: Example) -> None:
        if self.labels is not None and example.output not in self.labels:
            raise TaskError(
                f'task "{self.name}", {split} example {number}: output "{example.output}" is not among its '
                f"{len(self.labels)} labels{nearest(example.output, self.labels)}; mend the row or the list of labels"
            )
        if self.template.refuses(example.output):
            raise TaskError(
                f'task "{self.name}", {split} example {number}: the stop text {self.template.stop!r} stands inside the '
                f"answer {example.output[:60]!r}; choose another template.stop"
            )

    def content_hash(self) -> str:
        """Return 16 hex digits that change when anything that a model can see of the task changes."""
        rows = (text for pool in (self.train, self.test) for e in pool for text in (e.input, e.output))
        template = self.template
        return hash_text(
            *(self.instruction, template.header, template.prompt, template.answer, template.stop),
            *(self.labels or ()),
            str(len(self.train)),
            *rows,
            *([f"chat: {template.chat}"] if template.chat is not None else []),
        )
