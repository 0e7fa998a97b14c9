"""The ladder: one model tuned by several methods on equal tokens, judged side by side."""

from manyshot.studies.ladder.study import Ladder

__all__ = ["Ladder"]
