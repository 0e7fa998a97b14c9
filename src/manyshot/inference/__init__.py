"""Read demonstrations once, branch queries off them, choose labels exactly, generate text."""

from manyshot.inference.branching import why_not_branched
from manyshot.inference.generation import Generation, generate
from manyshot.inference.labels import LabelChoice, Scoring, choose_labels
from manyshot.inference.prefix import ROOT, Chain, Prefix
from manyshot.inference.primed import Answer, PrimedTask, Reader
from manyshot.inference.trie import LabelTrie, build_trie

__all__ = [
    "ROOT",
    "Answer",
    "Chain",
    "Generation",
    "LabelChoice",
    "LabelTrie",
    "Prefix",
    "PrimedTask",
    "Reader",
    "Scoring",
    "build_trie",
    "choose_labels",
    "generate",
    "why_not_branched",
]
