"""Preservation: ways of tuning on one task, compared by what they teach and what they leave of in-context learning."""

from manyshot.studies.preservation.study import Preservation

__all__ = ["Preservation"]
