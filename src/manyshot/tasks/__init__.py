"""WHAT to learn: examples, templates, tasks, suites of tasks, plain text, and the check that nothing held out leaks."""

from manyshot.tasks.corpus import Corpus, open_corpus
from manyshot.tasks.folder import is_task_folder, load_task, save_task
from manyshot.tasks.leaks import drop_leaks, find_leaks, Leak, refuse_leaks
from manyshot.tasks.options import SuiteOptions
from manyshot.tasks.suite import load_tasks, open_suite, Suite
from manyshot.tasks.task import Example, Metric, METRICS, Task
from manyshot.tasks.template import default_template, Template

__all__ = [
    "METRICS",
    "Corpus",
    "Example",
    "Leak",
    "Metric",
    "Suite",
    "SuiteOptions",
    "Task",
    "Template",
    "default_template",
    "drop_leaks",
    "find_leaks",
    "is_task_folder",
    "load_task",
    "load_tasks",
    "open_corpus",
    "open_suite",
    "refuse_leaks",
    "save_task",
]
