"""The command line: one file a verb. Errors that a user can cause are one line and exit code 2."""

from manyshot.cli.app import app, main

__all__ = ["app", "main"]
