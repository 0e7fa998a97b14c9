"""Options of this folder: which suite a recipe speaks of."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class SuiteOptions(BaseModel):
    """Where the tasks are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str
    """A folder with suite.json, one task folder, or a folder of task folders."""
    leaks: Literal["error", "drop", "report"] = "error"
    """What to do when a held-out or dev task shares texts with a training task: stop, leave out such training rows, or
    only list them."""
