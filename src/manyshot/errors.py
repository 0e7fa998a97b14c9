"""The errors a user can cause. Each says the place, the value, the limit and the next step, in one line.

The command line prints the message alone and exits with code 2; a library caller catches `ManyshotError`.
"""

import difflib
from collections.abc import Iterable


class ManyshotError(Exception):
    """Base of every error that a user's input, options or files can cause."""


class TaskError(ManyshotError):
    """A task folder, one of its rows, or a suite is not as it should be."""


class LeakError(TaskError):
    """Text of a held-out task stands in a training task."""


class RecipeError(ManyshotError):
    """A recipe or an option has an unknown key, a wrong value, or values that do not go together."""


class EpisodeError(ManyshotError):
    """Episodes cannot be built from the tasks under the given budget and template."""


class ModelError(ManyshotError):
    """A model or tokenizer cannot be loaded, tuned or used as asked."""


class RunError(ManyshotError):
    """A run folder cannot be written, resumed or read."""


class EvaluationError(ManyshotError):
    """An evaluation cannot be carried out, or checks itself and disagrees."""


class TheoryError(ManyshotError):
    """Arguments outside the domain of a formula."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean "x"?` for the known name closest to `name`, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f', did you mean "{close[0]}"?' if close else ""
