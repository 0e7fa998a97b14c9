"""Records and JSON in; tables, figures and one self-contained page out. No torch."""

from manyshot.reporting.page import write_report
from manyshot.reporting.tables import Table, cost_table, curve_tables, family_table, task_table

__all__ = ["Table", "cost_table", "curve_tables", "family_table", "task_table", "write_report"]
