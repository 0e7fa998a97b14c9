"""Read demonstrations once, branch queries off them, choose labels exactly, generate text."""

from manyshot.inference.branching import why_not_branched
from manyshot.inference.generation import generate, Generation
from manyshot.inference.labels import choose_labels, LabelChoice, Scoring
from manyshot.inference.prefix import Chain, Prefix, ROOT
from manyshot.inference.primed import Answer, PrimedTask, Reader
from manyshot.inference.trie import build_trie, LabelTrie

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
