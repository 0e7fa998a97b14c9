"""ONE sequence: encode pieces once, choose examples, know every answer's bounds; rows as a pure function of their number."""

from manyshot.episodes.dataset import EpisodeDataset
from manyshot.episodes.encoding import EncodedTask, Encoder, Pieces
from manyshot.episodes.episode import Episode, answer_labels, build_episode
from manyshot.episodes.options import EpisodeOptions, MixOptions
from manyshot.episodes.sampling import choose_examples, draw_demonstrations, draw_queries

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
]
