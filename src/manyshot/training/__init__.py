"""Training: transformers' Trainer with our data, objective and checkpoints."""

from manyshot.training.callbacks import LogFiles, ProgressLines, silence
from manyshot.training.checkpoints import newest_complete, why_incomplete
from manyshot.training.collation import EpisodeCollator
from manyshot.training.guard import GUARD, Guard
from manyshot.training.options import GuardOptions, TrainingOptions, make_arguments
from manyshot.training.ranks import Ranks
from manyshot.training.stage_log import consumed, forget_after
from manyshot.training.stopwatch import Stopwatch
from manyshot.training.trainer import ManyShotTrainer

__all__ = [
    "GUARD",
    "EpisodeCollator",
    "Guard",
    "GuardOptions",
    "LogFiles",
    "ManyShotTrainer",
    "ProgressLines",
    "Ranks",
    "Stopwatch",
    "TrainingOptions",
    "consumed",
    "forget_after",
    "make_arguments",
    "newest_complete",
    "silence",
    "why_incomplete",
]
