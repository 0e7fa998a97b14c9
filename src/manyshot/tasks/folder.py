"""Read and write task folders: task.json or task.yaml, train.jsonl, test.jsonl (or .csv). Every fault is named by place."""

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from manyshot.errors import ManyshotError, TaskError, nearest
from manyshot.files import json_line, read_json, read_lines, write_json, write_text
from manyshot.tasks.task import Example, Task
from manyshot.tasks.template import Template, default_template

DESCRIPTIONS = ("task.json", "task.yaml")
REQUIRED = ("name", "metric")
TEMPLATE_FIELDS = ("header", "prompt", "answer", "stop")


def is_task_folder(path: str | Path) -> bool:
    """Tell whether `path` holds a task description."""
    return any((Path(path) / name).is_file() for name in DESCRIPTIONS)


def load_task(path: str | Path) -> Task:
    """Read one task folder.

    Raises TaskError with file and line for a missing field, a broken line, an empty file, a label outside the list, or
    a stop text inside an answer. Outputs lose surrounding white space, which no metric counts and which would change
    the answer's tokens.
    """
    folder = Path(path)
    description, place = _read_description(folder)
    for key in REQUIRED:
        if key not in description:
            raise TaskError(f'{place}: field "{key}" is missing; a task needs {" and ".join(REQUIRED)}')
        if not isinstance(description[key], str):
            raise TaskError(f'{place}: field "{key}" is {description[key]!r}; it must be text in quotes')
    columns, allowed = _read_columns(description, place), _read_labels(description, place)
    pools: dict[str, list[Example]] = {}
    lines: dict[str, tuple[Path, list[int]]] = {}
    for split in ("train", "test"):
        file = _find_rows(folder, split)
        pools[split], numbers = ([], []) if file is None else _read_pool(file, columns, allowed)
        if file is not None:
            lines[split] = file, numbers
    template = _read_template(description.get("template"), place, [e.output for p in pools.values() for e in p])
    for split, (file, numbers) in lines.items():
        for number, example in zip(numbers, pools[split], strict=True):
            if template.stop in template.render_answer(example.output):
                raise TaskError(
                    f"{file}:{number}: the stop text {template.stop!r} stands inside the answer "
                    f"{example.output[:60]!r}; choose another template.stop"
                )
    try:
        return Task(
            name=description["name"],
            family=str(description.get("family") or "other"),
            instruction=str(description.get("instruction") or ""),
            metric=description["metric"],
            labels=allowed,
            train=pools["train"],
            test=pools["test"],
            template=template,
            **{key: str(description.get(key) or "") for key in ("source", "licence", "citation")},
        )
    except TaskError as error:
        raise TaskError(f"{place}: {error}") from None


def save_task(task: Task, path: str | Path) -> Path:
    """Write `task` as a folder that `load_task` reads back equal."""
    folder = Path(path)
    description: dict[str, Any] = {
        "name": task.name,
        "family": task.family,
        "instruction": task.instruction,
        "metric": task.metric,
        "labels": None if task.labels is None else list(task.labels),
        "source": task.source,
        "licence": task.licence,
        "citation": task.citation,
        "template": asdict(task.template),
    }
    for split, pool in (("train", task.train), ("test", task.test)):
        for stale in (folder / f"{split}.jsonl", folder / f"{split}.csv"):
            stale.unlink(missing_ok=True)
        if pool:
            write_text(folder / f"{split}.jsonl", "".join(json_line(asdict(example)) for example in pool))
    write_json(folder / "task.json", description)
    return folder


def _read_description(folder: Path) -> tuple[dict[str, Any], Path]:
    for name in DESCRIPTIONS:
        place = folder / name
        if not place.is_file():
            continue
        value = _read_json(place) if name.endswith(".json") else _read_yaml(place)
        if not isinstance(value, dict):
            raise TaskError(f"{place}: holds {type(value).__name__}; it must be one object of named fields")
        return value, place
    raise TaskError(f"{folder}: no task here; a task folder holds {' or '.join(DESCRIPTIONS)} and train.jsonl")


def _read_json(place: Path) -> Any:
    try:
        return read_json(place)
    except ManyshotError as error:
        raise TaskError(str(error)) from None


def _read_yaml(place: Path) -> Any:
    try:
        return yaml.safe_load(place.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise TaskError(f"{place}{line}: not valid YAML ({getattr(error, 'problem', None) or error})") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{place}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _read_columns(description: dict[str, Any], place: Path) -> dict[str, str]:
    columns = description.get("columns") or {}
    if not isinstance(columns, dict):
        raise TaskError(
            f'{place}: columns is {columns!r}; give an object such as {{"input": "text", "output": "label"}}'
        )
    known = {"input": "input", "output": "output"}
    for key, value in columns.items():
        if key not in known or not isinstance(value, str):
            raise TaskError(
                f'{place}: columns has {key!r}: {value!r}{nearest(str(key), known)}; it names "input" and "output"'
            )
    return {**known, **columns}


def _read_labels(description: dict[str, Any], place: Path) -> tuple[str, ...] | None:
    labels = description.get("labels")
    if labels is None:
        return None
    texts = [str(label).strip() for label in labels] if isinstance(labels, list) else []
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise TaskError(f"{place}: labels is {labels!r}; give a list of two or more different texts, or null")
    return tuple(texts)


def _find_rows(folder: Path, split: str) -> Path | None:
    found = [folder / f"{split}.{kind}" for kind in ("jsonl", "csv") if (folder / f"{split}.{kind}").is_file()]
    if len(found) > 1:
        raise TaskError(f"{folder}: both {found[0].name} and {found[1].name} are there; keep one")
    if not found and split == "train":
        raise TaskError(f"{folder}: train.jsonl is missing; a task folder needs it (or train.csv)")
    return found[0] if found else None


def _read_pool(file: Path, columns: dict[str, str], labels: tuple[str, ...] | None) -> tuple[list[Example], list[int]]:
    """Return the examples of a file, and the line of each."""
    pool: list[Example] = []
    numbers: list[int] = []
    allowed = None if labels is None else set(labels)
    for number, row in _rows(file):
        if not isinstance(row, dict):
            raise TaskError(
                f"{file}:{number}: a {type(row).__name__}; every line must be an object with the fields of a row"
            )
        values: list[str] = []
        for column in (columns["input"], columns["output"]):
            value = row.get(column)
            if value is None:
                raise TaskError(
                    f'{file}:{number}: field "{column}" is missing{nearest(column, map(str, row))}; '
                    f'every line needs "{columns["input"]}" and "{columns["output"]}"'
                )
            if not isinstance(value, str):
                raise TaskError(f'{file}:{number}: field "{column}" is {value!r}; it must be text in quotes')
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                raise TaskError(f'{file}:{number}: field "{column}" holds half of a surrogate pair, which is no text')
            values.append(value)
        example = Example(values[0], values[1].strip())
        if not example.output:
            raise TaskError(f'{file}:{number}: field "{columns["output"]}" is empty; every example needs an answer')
        if allowed is not None and example.output not in allowed:
            raise TaskError(
                f'{file}:{number}: output "{example.output}" is not among the {len(allowed)} labels'
                f"{nearest(example.output, allowed)}; mend the row or the list of labels"
            )
        pool.append(example)
        numbers.append(number)
    if not pool:
        raise TaskError(f"{file}: holds no examples; it needs at least one row")
    return pool, numbers


def _rows(file: Path) -> Iterator[tuple[int, Any]]:
    try:
        yield from read_lines(file) if file.suffix == ".jsonl" else _csv_rows(file)
    except TaskError:
        raise
    except ManyshotError as error:
        raise TaskError(str(error)) from None


def _csv_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{file}:{line}: not UTF-8 text; save it as UTF-8") from None
    # the module's own limit refuses long texts
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                n = sum(value is not None for key, value in row.items() if key) + len(row.get(None) or [])
                raise TaskError(
                    f"{file}:{reader.line_num}: {n} fields where the head names {len(reader.fieldnames or [])}; "
                    "quote texts that hold a comma"
                )
            yield reader.line_num, row
    except csv.Error as error:
        # the reader counts a line once it is done with it
        raise TaskError(f"{file}:{reader.line_num + 1}: not valid CSV ({error})") from None


def _read_template(value: Any, place: Path, outputs: list[str]) -> Template:
    if value is None:
        return default_template(outputs)
    if not isinstance(value, dict):
        raise TaskError(f"{place}: template is {value!r}; give an object with {', '.join(TEMPLATE_FIELDS)}")
    for key in value:
        if key not in TEMPLATE_FIELDS:
            raise TaskError(f'{place}: template has no field "{key}"{nearest(str(key), TEMPLATE_FIELDS)}')
        if not isinstance(value[key], str):
            raise TaskError(f"{place}: template.{key} is {value[key]!r}; it must be text in quotes")
    try:
        return Template(**{"stop": default_template(outputs).stop, **value})
    except TaskError as error:
        raise TaskError(f"{place}: {error}") from None
