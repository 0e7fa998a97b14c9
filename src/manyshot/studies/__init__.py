"""Studies: lists of runs compared on equal terms, skipped when done. The demo is the ladder's smallest preset."""

from manyshot.studies.jobs import Job
from manyshot.studies.ladder import Ladder
from manyshot.studies.methods import METHODS, PRESERVING, Method
from manyshot.studies.preservation import Preservation
from manyshot.studies.preset import LadderPreset, PreservationPreset, load_preset

__all__ = [
    "METHODS",
    "PRESERVING",
    "Job",
    "Ladder",
    "LadderPreset",
    "Method",
    "Preservation",
    "PreservationPreset",
    "load_preset",
]
