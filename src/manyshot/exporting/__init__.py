"""Tasks in the formats of other tools."""

from manyshot.exporting.lm_eval import export_lm_eval

__all__ = ["export_lm_eval"]
