"""Benchmark = tasks x shots x draws; metrics, intervals, summaries; writes records."""

from manyshot.evaluation.benchmark import Benchmark, cells_of
from manyshot.evaluation.curves import write_curves
from manyshot.evaluation.gains import Gain, gains, mean_gain
from manyshot.evaluation.intervals import TaskScores, interval, queries_to_separate
from manyshot.evaluation.options import EvaluationOptions
from manyshot.evaluation.retention import Judged, Retention, measure_retention, read_judged
from manyshot.evaluation.summary import summarise, task_scores
from manyshot.evaluation.text_loss import bits_per_byte

__all__ = [
    "Benchmark",
    "EvaluationOptions",
    "Gain",
    "Judged",
    "Retention",
    "TaskScores",
    "bits_per_byte",
    "cells_of",
    "gains",
    "interval",
    "mean_gain",
    "measure_retention",
    "queries_to_separate",
    "read_judged",
    "summarise",
    "task_scores",
    "write_curves",
]
