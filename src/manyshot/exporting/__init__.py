"""Tasks in the formats of other tools."""

from manyshot.exporting.icl_format import to_icl_format
from manyshot.exporting.lm_eval import export_lm_eval

__all__ = ["export_lm_eval", "to_icl_format"]
