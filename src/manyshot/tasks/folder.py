"""Read and write task folders: task.json or task.yaml, train and test as .jsonl, .csv, .tsv or .parquet. Every fault is named."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from manyshot.errors import ManyshotError, TaskError, nearest
from manyshot.files import json_line, read_json, write_json, write_text
from manyshot.tasks.lazy_rows import LazyRows, lines_with_line_ends
from manyshot.tasks.rows import Columns, read_examples, read_line
from manyshot.tasks.tables import FILE_KINDS, kind_of, open_table
from manyshot.tasks.task import Example, Task
from manyshot.tasks.template import Chat, Template, as_chat, default_template

DESCRIPTIONS = ("task.json", "task.yaml")
REQUIRED = ("name", "metric")
TEMPLATE_FIELDS = ("header", "prompt", "answer", "stop", "chat")
# a .jsonl file of this size or more is read row by row as it is needed: a few seconds of reading, 100 MB of memory
LAZY_BYTES = 1 << 24


def is_task_folder(path: str | Path) -> bool:
    """Tell whether `path` holds a task description."""
    return any((Path(path) / name).is_file() for name in DESCRIPTIONS)


def load_task(path: str | Path, *, chat: Chat | None = None) -> Task:
    """Read one task folder; `chat` shows the task as a conversation unless its template says so itself.

    Raises TaskError with file and line for a missing field, a broken line, an empty file, a label outside the list, or
    a stop text inside an answer; for rows of a .jsonl file of LAZY_BYTES or more, when the row is read. Outputs lose
    surrounding white space, which no metric counts and which would change the answer's tokens.
    """
    folder = Path(path)
    description, place = _read_description(folder)
    for key in REQUIRED:
        if key not in description:
            raise TaskError(f'{place}: field "{key}" is missing; a task needs {" and ".join(REQUIRED)}')
        if not isinstance(description[key], str):
            raise TaskError(f'{place}: field "{key}" is {description[key]!r}; it must be text in quotes')
    columns, allowed = _read_columns(description, place), _read_labels(description, place)
    files = {split: _find_rows(folder, split) for split in ("train", "test")}
    large = {split: file for split, file in files.items() if file is not None and _is_large(file)}
    pools: dict[str, Sequence[Example]] = {}
    lines: dict[str, tuple[Path, list[int]]] = {}
    for split, file in files.items():
        if split not in large:
            pools[split], numbers = ([], []) if file is None else _read_pool(file, columns, allowed)
            if file is not None:
                lines[split] = file, numbers
    outputs = (e.output for p in pools.values() for e in p)
    outputs = chain(outputs, *(_outputs_with_line_ends(file, columns) for file in large.values()))
    template = _read_template(description.get("template"), place, outputs)
    template = template if chat is None else as_chat(template, chat)
    for split, (file, numbers) in lines.items():
        for number, example in zip(numbers, pools[split], strict=True):
            _refuse_stop(template, file, number, example)
    for split, file in large.items():
        pools[split] = _open_pool(file, columns, allowed, template)
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
        "template": _describe_template(task.template),
    }
    for split, pool in (("train", task.train), ("test", task.test)):
        for file in _rows_files(folder, split):
            file.unlink()
        if pool:
            write_text(folder / f"{split}.jsonl", "".join(json_line(asdict(example)) for example in pool))
    write_json(folder / "task.json", description)
    return folder


def _describe_template(template: Template) -> dict[str, str]:
    unused = "chat" if template.chat is None else "stop"
    return {field: text for field, text in asdict(template).items() if field != unused}


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


def _read_columns(description: dict[str, Any], place: Path) -> Columns:
    columns = description.get("columns") or {}
    if not isinstance(columns, dict):
        raise TaskError(
            f'{place}: columns is {columns!r}; give an object such as {{"input": "text", "output": "label"}}'
        )
    known = ("input", "output", "choices", "messages")
    for key, value in columns.items():
        if key not in known or not isinstance(value, str):
            raise TaskError(
                f'{place}: columns has {key!r}: {value!r}{nearest(str(key), known)}; it names "input" and "output" '
                '(and "choices"), or "messages"'
            )
    if "messages" in columns and len(columns) > 1:
        raise TaskError(f"{place}: columns names both messages and {[k for k in columns if k != 'messages']}; give one")
    return Columns(**columns)


def _read_labels(description: dict[str, Any], place: Path) -> tuple[str, ...] | None:
    labels = description.get("labels")
    if labels is None:
        return None
    texts = [str(label).strip() for label in labels] if isinstance(labels, list) else []
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise TaskError(f"{place}: labels is {labels!r}; give a list of two or more different texts, or null")
    return tuple(texts)


def _find_rows(folder: Path, split: str) -> Path | None:
    found = _rows_files(folder, split)
    if len(found) > 1:
        raise TaskError(f"{folder}: both {found[0].name} and {found[1].name} are there; keep one")
    if not found and split == "train":
        raise TaskError(f"{folder}: train.jsonl is missing; a task folder needs it (or train.csv, train.parquet)")
    return found[0] if found else None


def _rows_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split, in the order of FILE_KINDS; suffixes may be in capitals."""
    files = [file for file in folder.glob(f"{split}.*") if file.is_file() and file.stem == split]
    return sorted((f for f in files if kind_of(f) in FILE_KINDS), key=lambda f: (FILE_KINDS.index(kind_of(f)), f.name))


def _read_pool(file: Path, columns: Columns, labels: tuple[str, ...] | None) -> tuple[list[Example], list[int]]:
    """Return the examples of a file, and the line of each."""
    pool: list[Example] = []
    numbers: list[int] = []
    for number, example in read_examples(open_table(file), columns, labels):
        if isinstance(example, TaskError):
            raise example
        pool.append(example)
        numbers.append(number)
    if not pool:
        raise TaskError(f"{file}: holds no examples; it needs at least one row")
    return pool, numbers


def _is_large(file: Path) -> bool:
    return kind_of(file) == ".jsonl" and file.stat().st_size >= LAZY_BYTES


def _open_pool(file: Path, columns: Columns, labels: tuple[str, ...] | None, template: Template) -> LazyRows:
    """Return the examples of a large file; a faulty row is refused when it is read."""
    parse = partial(_parse_row, file, columns, None if labels is None else frozenset(labels), template)
    pool = LazyRows.open(file, parse, (columns, labels, template))
    if not pool:
        raise TaskError(f"{file}: holds no examples; it needs at least one row")
    return pool


def _parse_row(
    file: Path, columns: Columns, labels: frozenset[str] | None, template: Template, number: int, raw: bytes
) -> Example:
    example = read_line(file, number, raw, columns, labels)
    _refuse_stop(template, file, number, example)
    return example


def _refuse_stop(template: Template, file: Path, number: int, example: Example) -> None:
    if template.refuses(example.output):
        raise TaskError(
            f"{file}:{number}: the stop text {template.stop!r} stands inside the answer {example.output[:60]!r}, or begins "
            "at its end; choose another template.stop"
        )


def _outputs_with_line_ends(file: Path, columns: Columns) -> Iterable[str]:
    """Yield the outputs of a large file that may have several lines: all that the choice of a stop text asks for."""
    if columns.choices is not None:  # letters
        return
    for raw in lines_with_line_ends(file, None if columns.messages is not None else columns.output):
        try:
            yield read_line(file, 0, raw, columns, None).output
        except TaskError:  # said by file and line when the row is read
            continue


def _read_template(value: Any, place: Path, outputs: Iterable[str]) -> Template:
    if value is None:
        return default_template(outputs)
    if not isinstance(value, dict):
        raise TaskError(f"{place}: template is {value!r}; give an object with {', '.join(TEMPLATE_FIELDS)}")
    for key in value:
        if key not in TEMPLATE_FIELDS:
            raise TaskError(f'{place}: template has no field "{key}"{nearest(str(key), TEMPLATE_FIELDS)}')
        if not isinstance(value[key], str):
            raise TaskError(f"{place}: template.{key} is {value[key]!r}; it must be text in quotes")
    if "chat" in value and "stop" in value:
        raise TaskError(f"{place}: template has both chat and stop; a model's chat template ends the answers itself")
    try:
        if "chat" in value:
            bare = as_chat(Template(), "system")
            return Template(**{"prompt": bare.prompt, "answer": bare.answer, **value})
        return Template(**{"stop": default_template(outputs).stop, **value})
    except TaskError as error:
        raise TaskError(f"{place}: {error}") from None
