"""The library face: what the README shows runs as it stands."""

import runpy
from pathlib import Path

import manyshot as ms

ROOT = Path(__file__).resolve().parents[1]


def test_the_example_script_trains_and_scores():
    main = runpy.run_path(str(ROOT / "examples" / "ten_lines.py"))["main"]
    curve = main(max_steps=3)["methods"]["model"]["held_out"]
    assert list(curve) == ["0", "4", "16"]
    assert all(0 <= score <= 1 for score in curve.values())


def test_every_public_name_can_be_loaded():
    assert [name for name in ms.__all__ if not hasattr(ms, name)] == []
