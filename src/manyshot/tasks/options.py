"""Options of this folder: which suite a recipe speaks of."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from manyshot.tasks.template import Chat


class SuiteOptions(BaseModel):
    """Where the tasks are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str
    """A folder with suite.json, one task folder, or a folder of task folders."""
    leaks: Literal["error", "drop", "report"] = "error"
    """What to do when a held-out or dev task shares texts with a training task: stop, leave out such training rows, or
    only list them."""
    held: list[str] = Field(default_factory=list)
    """Splits, task paths or patterns that no training row may share texts with either, though the run itself does not judge
    them: those that its model will be judged on later."""
    chat: Chat | None = None
    """Show tasks as conversations, through the model's own chat template, with the instruction in a `system` turn or at the
    head of every `user` turn; null is plain text. A task whose template says so itself is shown as it says."""
