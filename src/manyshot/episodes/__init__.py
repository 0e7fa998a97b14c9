"""ONE sequence: encode pieces once, choose examples, know every answer's bounds; rows as a pure function of their number."""

from manyshot.episodes.dataset import EpisodeDataset
from manyshot.episodes.encoding import EncodedTask, Encoder
from manyshot.episodes.episode import Episode, answer_labels, build_episode
from manyshot.episodes.options import EpisodeOptions, MixOptions
from manyshot.episodes.pieces import Pieces
from manyshot.episodes.relabelling import symbol_task
from manyshot.episodes.sampling import choose_examples, draw_demonstrations, draw_queries, is_recall
from manyshot.episodes.symbols import symbol_pool

__all__ = [
    "EncodedTask",
    "Encoder",
    "Episode",
    "EpisodeDataset",
    "EpisodeOptions",
    "MixOptions",
    "Pieces",
    "answer_labels",
    "build_episode",
    "choose_examples",
    "draw_demonstrations",
    "draw_queries",
    "is_recall",
    "symbol_pool",
    "symbol_task",
]
