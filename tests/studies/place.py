"""What the tests of the studies share: a folder with a tiny model, a small suite and a preset that names them."""

from pathlib import Path

from manyshot.tasks.builtin import write_suite
from tests import tiny


def make_place(folder: Path, preset: str) -> Path:
    """Return the folder, with `{folder}` in the preset replaced by it."""
    tiny.model("qwen3").save_pretrained(folder / "model")
    tiny.tokenizer().save_pretrained(folder / "model")
    write_suite(folder / "suite", n_train=24, n_test=6)
    (folder / "preset.yaml").write_text(preset.format(folder=folder))
    return folder
