"""Write small task folders, right and wrong ones, for the tests beside this file."""

import json
from pathlib import Path
from typing import Any

ROWS = [("a red apple", "fruit"), ("a green pepper", "vegetable"), ("a ripe pear", "fruit")]


def lines(rows: list[Any]) -> str:
    """One line of JSON a row; a (input, output) pair becomes an object."""
    objects = [{"input": row[0], "output": row[1]} if isinstance(row, tuple) else row for row in rows]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in objects)


def folder(place: Path, train: str | bytes | list[Any] = ROWS, test: list[Any] | None = None, **fields: Any) -> Path:
    """Make a task folder; `fields` go into task.json, those set to None are left out."""
    place.mkdir(parents=True, exist_ok=True)
    description = {"name": place.name, "family": "classification", "metric": "accuracy", **fields}
    text = json.dumps({key: value for key, value in description.items() if value is not None})
    (place / "task.json").write_text(text, encoding="utf-8")
    content = lines(train) if isinstance(train, list) else train
    (place / "train.jsonl").write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    if test is not None:
        (place / "test.jsonl").write_text(lines(test), encoding="utf-8")
    return place


def suite(root: Path, **splits: list[Any]) -> Path:
    """Make a suite.json with a small task folder for every path that a split names."""
    for name, paths in splits.items():
        if name != "share_texts":
            for path in paths:
                folder(root / path, name=path.replace("/", "_"))
    (root / "suite.json").write_text(json.dumps(splits), encoding="utf-8")
    return root
