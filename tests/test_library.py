"""The library face: what the README shows runs as it stands."""

import runpy
from pathlib import Path

import pytest

import manyshot as ms
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]


def test_the_example_script_trains_and_scores():
    main = runpy.run_path(str(ROOT / "examples" / "ten_lines.py"))["main"]
    curve = main(max_steps=3)["methods"]["model"]["held_out"]
    assert list(curve) == ["0", "4", "16"]
    assert all(0 <= score <= 1 for score in curve.values())


def test_every_public_name_can_be_loaded():
    assert [name for name in ms.__all__ if not hasattr(ms, name)] == []


def test_a_model_that_was_trained_under_autocast_is_scored_in_its_own_precision(tmp_path):
    rows = ms.EpisodeDataset([tiny.word_task()], tiny.tokenizer(), ms.EpisodeOptions(budget_tokens=128))
    options = ms.TrainingOptions(args={"max_steps": 1, "bf16": True, "use_cpu": True, "save_strategy": "no"})
    model = tiny.model("llama")
    ms.ManyShotTrainer(model=model, args=ms.make_arguments(options, tmp_path, seed=0), train_dataset=rows).train()
    reader = ms.Reader(model, tiny.tokenizer())
    assert reader.why_not_branched is None
    task = tiny.word_task()
    scored = reader.prime(task, task.train[:2]).answer([task.test[0].input], full=True)[0].logprobs
    model.save_pretrained(tmp_path / "saved")
    tiny.tokenizer().save_pretrained(tmp_path / "saved")
    loaded = ms.load_model(tmp_path / "saved")
    fresh = ms.Reader(loaded.model, loaded.tokenizer).prime(task, task.train[:2])
    assert fresh.answer([task.test[0].input], full=True)[0].logprobs == pytest.approx(scored, abs=1e-5)
