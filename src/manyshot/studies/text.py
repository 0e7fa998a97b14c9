"""General text that bits per byte are measured on: a file, or prose of the generated world.

FOLDER/general.txt   prose as the bundled model was trained on, other documents than those
"""

from pathlib import Path
from random import Random

from manyshot.files import write_text
from manyshot.pretraining.world import prose
from manyshot.seeds import derive

BUILTIN = "builtin"
# not that of any document that the bundled model has read
_SEED = 1
_N_DOCUMENTS, _N_SENTENCES = 200, 8


def study_text(name: str | None, folder: Path) -> str | None:
    """Return the path of a preset's general text: `builtin` is prose of the generated world, written into the study's folder."""
    return str(write_prose(folder / "general.txt")) if name == BUILTIN else name


def write_prose(place: Path) -> Path:
    """Write prose of the generated world, unless it is there; return the file."""
    if not place.is_file():
        documents = [prose(Random(derive(_SEED, "general", n)), _N_SENTENCES) for n in range(_N_DOCUMENTS)]
        write_text(place, "\n\n".join(documents) + "\n")
    return place
