"""The generated suite with probes of recall beside it. Recall is in-context learning with nothing to know but what the prompt
says.

tasks/recall_TEMPLATE_LABELS_NUMBER   made-up words under made-up labels (pretraining/probe.py), which no training task has
                                      anything of; split `recall`, two of a template and number of labels, and one more in `dev`
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

from manyshot.files import read_json, write_json
from manyshot.pretraining.probe import LABELS, TEMPLATES, make_probe
from manyshot.tasks import save_task
from manyshot.tasks.builtin import write_suite

BUILTIN_AND_RECALL = "builtin+recall"
SPLIT_OF_NUMBER = ("dev", "recall", "recall")
# demonstrations are drawn from these
_N_TRAIN = 100
# not those that `python -m manyshot.pretraining probe` draws
_SEED = 1


def write_recall_suite(folder: Path) -> Path:
    """Write both, unless they are there; return the folder."""
    splits = read_json(write_suite(folder) / "suite.json")
    if "recall" in splits:
        return folder
    for number, split in enumerate(SPLIT_OF_NUMBER):
        splits.setdefault(split, [])
        for template, n_labels in product(TEMPLATES, LABELS):
            task = make_probe(_SEED, number, TEMPLATES[template], n_labels, shots=_N_TRAIN)
            name = f"recall_{template}_{n_labels}_{number}"
            save_task(replace(task, name=name), folder / name)
            splits[split].append(name)
    write_json(folder / "suite.json", splits)
    return folder
