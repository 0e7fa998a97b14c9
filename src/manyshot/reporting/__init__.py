"""Records and JSON in; tables, figures and one self-contained page out. No torch."""

from manyshot.reporting.page import write_report
from manyshot.reporting.retention import retention_tables
from manyshot.reporting.stress import stress_table
from manyshot.reporting.tables import (
    Table,
    cost_table,
    curve_tables,
    family_table,
    paired_table,
    preservation_table,
    task_table,
)

__all__ = [
    "Table",
    "cost_table",
    "curve_tables",
    "family_table",
    "paired_table",
    "preservation_table",
    "retention_tables",
    "stress_table",
    "task_table",
    "write_report",
]
