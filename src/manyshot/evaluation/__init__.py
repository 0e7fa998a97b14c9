"""Benchmark = tasks x shots x draws; metrics, intervals, summaries; writes records."""

from manyshot.evaluation.benchmark import Benchmark
from manyshot.evaluation.curves import write_curves
from manyshot.evaluation.intervals import TaskScores, interval, queries_to_separate
from manyshot.evaluation.metrics import floor_score, score_cell, score_query
from manyshot.evaluation.options import EvaluationOptions
from manyshot.evaluation.summary import summarise
from manyshot.evaluation.text_loss import bits_per_byte

__all__ = [
    "Benchmark",
    "EvaluationOptions",
    "TaskScores",
    "bits_per_byte",
    "floor_score",
    "interval",
    "queries_to_separate",
    "score_cell",
    "score_query",
    "summarise",
    "write_curves",
]
