"""Records and JSON in; tables, figures and one self-contained page out. No torch."""

from manyshot.reporting.ladder import claims_table, ladder_markdown, ladder_tables
from manyshot.reporting.page import write_report
from manyshot.reporting.preservation import claims_of_sources, write_preservation
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
    "claims_of_sources",
    "claims_table",
    "cost_table",
    "curve_tables",
    "family_table",
    "ladder_markdown",
    "ladder_tables",
    "paired_table",
    "preservation_table",
    "retention_tables",
    "stress_table",
    "task_table",
    "write_preservation",
    "write_report",
]
