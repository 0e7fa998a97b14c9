"""Generated tasks that come with the package."""

from manyshot.tasks.builtin.words import write_suite

__all__ = ["write_suite"]
