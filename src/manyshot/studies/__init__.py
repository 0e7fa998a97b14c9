"""Studies: lists of runs compared on equal terms, skipped when done. The demo is the ladder's smallest preset."""

from manyshot.studies.ladder import Ladder
from manyshot.studies.methods import METHODS, Method
from manyshot.studies.preset import LadderPreset, load_preset

__all__ = ["METHODS", "Ladder", "LadderPreset", "Method", "load_preset"]
