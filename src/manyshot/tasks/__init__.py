"""WHAT to learn: examples, templates, tasks, suites of tasks, plain text, and the check that nothing held out leaks."""

from manyshot.tasks.corpus import Corpus, open_corpus
from manyshot.tasks.folder import is_task_folder, load_task, save_task
from manyshot.tasks.lazy_rows import LazyRows
from manyshot.tasks.leaks import Leak, drop_leaks, find_leaks, refuse_leaks
from manyshot.tasks.metrics import METRICS
from manyshot.tasks.options import SuiteOptions
from manyshot.tasks.rows import Columns
from manyshot.tasks.suite import Suite, load_tasks, open_suite
from manyshot.tasks.tables import Table, open_table
from manyshot.tasks.task import Example, Task
from manyshot.tasks.template import Chat, Template, as_chat, default_template

__all__ = [
    "METRICS",
    "Chat",
    "Columns",
    "Corpus",
    "Example",
    "LazyRows",
    "Leak",
    "Suite",
    "SuiteOptions",
    "Table",
    "Task",
    "Template",
    "as_chat",
    "default_template",
    "drop_leaks",
    "find_leaks",
    "is_task_folder",
    "load_task",
    "load_tasks",
    "open_corpus",
    "open_suite",
    "open_table",
    "refuse_leaks",
    "save_task",
]
