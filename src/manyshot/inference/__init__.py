"""Read demonstrations once, branch queries off them, choose labels exactly, generate text."""

from manyshot.inference.backends import Backend, Primed
from manyshot.inference.branching import why_not_branched
from manyshot.inference.channel import channel_logprobs, channel_task
from manyshot.inference.curve import ShotCurve, free_curve
from manyshot.inference.endpoint import Endpoint
from manyshot.inference.generation import Generation, generate
from manyshot.inference.labels import LabelChoice, choose_labels
from manyshot.inference.prefix import ROOT, Chain, Prefix
from manyshot.inference.primed import Answer, PrimedTask, Scoring
from manyshot.inference.reader import Reader
from manyshot.inference.retrieval import Retriever, balanced_demonstrations
from manyshot.inference.trie import LabelTrie, build_trie

__all__ = [
    "ROOT",
    "Answer",
    "Backend",
    "Chain",
    "Endpoint",
    "Generation",
    "LabelChoice",
    "LabelTrie",
    "Prefix",
    "Primed",
    "PrimedTask",
    "Reader",
    "Retriever",
    "Scoring",
    "ShotCurve",
    "balanced_demonstrations",
    "build_trie",
    "channel_logprobs",
    "channel_task",
    "choose_labels",
    "free_curve",
    "generate",
    "why_not_branched",
]
