"""MMLU by category and subject, from a task whose inputs begin with `subject: NAME`: the design of arXiv 2602.23197.

tasks/humanities/all    the category's rows in one task: what a model is tuned on; tasks/other/all the same for choices on dev
tasks/CATEGORY/SUBJECT  one subject's rows: what it is judged on, four of the social sciences on dev, the others and stem held out
tasks/general/...       instruction data to mix in
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from manyshot.errors import TaskError
from manyshot.files import read_json, write_json
from manyshot.tasks import Example, Task, load_task, open_suite, save_task

MMLU = "mmlu"
# category that a model is tuned on -> the split that its task is in
TUNED = {"humanities": "train", "other": "dev"}
# subjects that are foreign on dev; the other categories' remaining ones are held out
DEV_SUBJECTS = ("econometrics", "high school geography", "public relations", "us foreign policy")
# subjects with fewer rows can neither be demonstrated by 16 others nor judged
LEAST_TRAIN, LEAST_TEST = 24, 8
_HEAD = "subject: "
# categories of the benchmark's authors (Hendrycks et al. 2021)
CATEGORIES: dict[str, tuple[str, ...]] = {
    "humanities": (
        "formal logic",
        "high school european history",
        "high school us history",
        "high school world history",
        "international law",
        "jurisprudence",
        "logical fallacies",
        "moral disputes",
        "moral scenarios",
        "philosophy",
        "prehistory",
        "professional law",
        "world religions",
    ),
    "social_sciences": (
        "econometrics",
        "high school geography",
        "high school government and politics",
        "high school macroeconomics",
        "high school microeconomics",
        "high school psychology",
        "human sexuality",
        "professional psychology",
        "public relations",
        "security studies",
        "sociology",
        "us foreign policy",
    ),
    "stem": (
        "abstract algebra",
        "anatomy",
        "astronomy",
        "college biology",
        "college chemistry",
        "college computer science",
        "college mathematics",
        "college physics",
        "computer security",
        "conceptual physics",
        "electrical engineering",
        "elementary mathematics",
        "high school biology",
        "high school chemistry",
        "high school computer science",
        "high school mathematics",
        "high school physics",
        "high school statistics",
        "machine learning",
    ),
    "other": (
        "business ethics",
        "clinical knowledge",
        "college medicine",
        "global facts",
        "human aging",
        "management",
        "marketing",
        "medical genetics",
        "miscellaneous",
        "nutrition",
        "professional accounting",
        "professional medicine",
        "virology",
    ),
}
_CATEGORY = {subject: category for category, subjects in CATEGORIES.items() for subject in subjects}


def write_mmlu_suite(source: Path, folder: Path) -> Path:
    """Write the suite from a folder with `qa/mmlu` and a suite's split `general`, unless it is there; return its folder.

    Raises TaskError where an input names no known subject.
    """
    if (folder / "suite.json").is_file():
        return folder
    task = load_task(source / "qa" / MMLU)
    train, test = _by_subject(task, task.train), _by_subject(task, task.test)
    splits: dict[str, list[str]] = {"train": [], "dev": [], "held_out": [], "general": []}
    for category, subjects in CATEGORIES.items():
        if category in TUNED:
            rows = [[e for s in subjects for e in side.get(s, [])] for side in (train, test)]
            splits[TUNED[category]].append(_save(task, folder, f"{category}/all", category, rows[0], rows[1]))
            continue
        for subject in subjects:
            rows = train.get(subject, []), test.get(subject, [])
            if len(rows[0]) >= LEAST_TRAIN and len(rows[1]) >= LEAST_TEST:
                path = _save(task, folder, f"{category}/{subject.replace(' ', '_')}", category, *rows)
                splits["dev" if subject in DEV_SUBJECTS else "held_out"].append(path)
    for path in read_json(source / "suite.json")["general"] if (source / "suite.json").is_file() else []:
        save_task(open_suite(source).load([path])[0], folder / path)
        splits["general"].append(path)
    write_json(folder / "suite.json", splits)
    return folder


def _by_subject(task: Task, examples: Iterable[Example]) -> dict[str, list[Example]]:
    """Return examples by subject, each still with its subject's name before the question."""
    found: dict[str, list[Example]] = {}
    for e in examples:
        subject = e.input.split("\n", 1)[0].removeprefix(_HEAD)
        if subject not in _CATEGORY:
            raise TaskError(f'{task.name}: "{subject}" is no subject of MMLU; inputs must begin with "{_HEAD}NAME"')
        found.setdefault(subject, []).append(e)
    return found


def _save(task: Task, folder: Path, path: str, category: str, train: list[Example], test: list[Example]) -> str:
    name = path.replace("/", "_")
    save_task(replace(task, name=name, family=category, train=train, test=test), folder / path)
    return path
