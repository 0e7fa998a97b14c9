"""A checkpoint counts when it is whole; one that is not is named with what it lacks."""

import json
import shutil

import pytest

from manyshot.training import newest_complete, why_incomplete
from manyshot.training.checkpoints import rotate
from tests import tiny
from tests.training.small import EXACT, rows, trainer

SAVING = {**EXACT, "save_strategy": "steps", "save_steps": 2, "max_steps": 4, "save_total_limit": 5}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """checkpoint-2 and checkpoint-4 of a real training."""
    folder = tmp_path_factory.mktemp("saved")
    trainer(tiny.model("llama"), folder, data=rows(16), **SAVING).train()
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "checkpoints")
    return tmp_path / "checkpoints"


def test_nothing_but_whole_checkpoints_is_left_behind(saved):
    assert sorted(f.name for f in saved.iterdir()) == ["checkpoint-2", "checkpoint-4"]
    assert all(why_incomplete(f) is None for f in saved.iterdir())


def test_the_newest_whole_checkpoint_is_picked(folder):
    assert newest_complete(folder) == (folder / "checkpoint-4", [])


def test_checkpoints_are_compared_by_number_and_not_by_name(folder):
    (folder / "checkpoint-4").rename(folder / "checkpoint-10")
    assert newest_complete(folder)[0] == folder / "checkpoint-10"


def test_a_folder_without_checkpoints_gives_none(tmp_path):
    assert newest_complete(tmp_path) == (None, [])
    assert newest_complete(tmp_path / "absent") == (None, [])


def _without(name):
    def spoil(checkpoint):
        (checkpoint / name).unlink()

    return spoil


def _truncated(name):
    def spoil(checkpoint):
        data = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(data[: len(data) // 2])

    return spoil


def _flipped(name):
    def spoil(checkpoint):
        data = bytearray((checkpoint / name).read_bytes())
        data[len(data) // 2] ^= 1
        (checkpoint / name).write_bytes(bytes(data))

    return spoil


def _never_had(name):
    """Not written at all, as transformers does without a word: the list of files does not hold it either."""

    def spoil(checkpoint):
        (checkpoint / name).unlink()
        listed = json.loads((checkpoint / "complete.json").read_text())
        del listed["files"][name]
        (checkpoint / "complete.json").write_text(json.dumps(listed))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (_without("complete.json"), "complete.json"),
        (_truncated("model.safetensors"), "model.safetensors"),
        (_flipped("model.safetensors"), "model.safetensors"),
        (_flipped("optimizer.pt"), "optimizer.pt"),
        (_without("optimizer.pt"), "optimizer"),
        (_never_had("optimizer.pt"), "optimizer"),
        (_never_had("scheduler.pt"), "scheduler.pt"),
        (_never_had("rng_state.pth"), "rng_state"),
        (_never_had("trainer_state.json"), "trainer_state.json"),
        (_truncated("complete.json"), "complete.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__qualname__.split(".")[0].strip("_"),
)
def test_a_spoilt_checkpoint_is_named_and_the_one_before_is_used(spoil, named, folder):
    spoil(folder / "checkpoint-4")
    found, ignored = newest_complete(folder)
    assert found == folder / "checkpoint-2"
    assert len(ignored) == 1
    assert str(folder / "checkpoint-4") in ignored[0]
    assert named in ignored[0]
    assert "\n" not in ignored[0]


def test_a_staging_folder_that_a_kill_left_does_not_count_and_goes_with_the_next_save(folder):
    shutil.copytree(folder / "checkpoint-2", folder / ".staging" / "checkpoint-6")
    assert newest_complete(folder)[0] == folder / "checkpoint-4"
    made = trainer(tiny.model("llama"), folder, data=rows(24), **{**SAVING, "max_steps": 6})
    made.train(resume_from_checkpoint=folder / "checkpoint-4")
    assert not (folder / ".staging").exists()
    assert newest_complete(folder)[0] == folder / "checkpoint-6"


def test_a_half_written_folder_of_the_same_step_makes_room_for_the_whole_one(folder):
    (folder / "checkpoint-4" / "complete.json").unlink()
    made = trainer(tiny.model("llama"), folder, data=rows(16), **SAVING)
    made.train(resume_from_checkpoint=folder / "checkpoint-2")
    assert newest_complete(folder) == (folder / "checkpoint-4", [])


def whole(folder, *steps):
    for step in steps:
        (folder / f"checkpoint-{step}").mkdir(parents=True)
        (folder / f"checkpoint-{step}" / "complete.json").write_text('{"files": {}}')


def left(folder):
    return sorted(int(f.name.split("-")[1]) for f in folder.iterdir())


def test_rotation_keeps_the_newest_up_to_the_limit(tmp_path):
    whole(tmp_path, 2, 4, 10, 100)
    rotate(tmp_path, 2)
    assert left(tmp_path) == [10, 100]


def test_rotation_keeps_the_best(tmp_path):
    whole(tmp_path, 2, 4, 10, 100)
    rotate(tmp_path, 2, keep=[tmp_path / "checkpoint-2"])
    assert left(tmp_path) == [2, 10, 100]


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_without_a_limit_nothing_is_deleted(limit, tmp_path):
    whole(tmp_path, 2, 4)
    rotate(tmp_path, limit)
    assert left(tmp_path) == [2, 4]


def test_rotation_leaves_half_written_checkpoints_alone_and_counts_them_not(tmp_path):
    whole(tmp_path, 2, 4)
    (tmp_path / "checkpoint-6").mkdir()
    rotate(tmp_path, 2)
    assert left(tmp_path) == [2, 4, 6]


def test_training_keeps_no_more_checkpoints_than_its_limit(tmp_path):
    settings = {**SAVING, "save_steps": 1, "save_total_limit": 2}
    trainer(tiny.model("llama"), tmp_path, **settings).train()
    assert sorted(f.name for f in tmp_path.iterdir()) == ["checkpoint-3", "checkpoint-4"]


def test_the_weights_of_a_checkpoint_are_safetensors(saved):
    checkpoint = saved / "checkpoint-4"
    assert (checkpoint / "model.safetensors").is_file()
    assert not list(checkpoint.glob("pytorch_model*"))
