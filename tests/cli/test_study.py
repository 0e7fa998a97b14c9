import shlex
from pathlib import Path

import pytest

from manyshot import records
from manyshot.cli.study import carry_out, options_again
from manyshot.errors import RecipeError
from manyshot.studies import Job

JOBS = [Job("full+mix10", 1e-3, 0, "qa/role"), Job("lora", 3e-3, 1, "a task")]


def test_every_training_is_a_command_that_a_shell_can_run():
    said, done = [], []
    carry_out(JOBS, done.append, None, "manyshot study preservation --out there", Path("there"), said.append)
    assert said == [
        "manyshot study preservation --out there --only full+mix10-lr0.001-seed0-qa_role",
        "manyshot study preservation --out there --only 'lora-lr0.003-seed1-a task'",
    ]
    assert not done


def test_one_training_is_carried_out_by_its_name_and_an_unknown_one_names_the_nearest(tmp_path):
    done = []
    carry_out(JOBS, done.append, JOBS[1].name, "", tmp_path, print)
    assert done == [JOBS[1]]
    with pytest.raises(RecipeError, match='did you mean "full'):
        carry_out(JOBS, done.append, "full+mix10-lr0.001-seed0-qa_rol", "", tmp_path, print)


def test_a_finished_training_that_a_cluster_starts_again_is_no_mistake(tmp_path):
    """It is no longer among what is to be done, and a name that is nothing must not pass for it."""
    said, done = [], []
    place = tmp_path / "runs" / "manyicl-lr0.003-seed0"
    place.mkdir(parents=True)
    (place / records.EXTRAS).write_text("{}")
    carry_out([], done.append, place.name, "", tmp_path, said.append)
    assert said == ["manyicl-lr0.003-seed0: done already"]
    assert not done
    with pytest.raises(RecipeError, match="no training is called"):
        carry_out([], done.append, "manyicl-lr0.003-seed1", "", tmp_path, said.append)


def test_options_come_back_from_a_shell_as_they_were():
    same = options_again("my preset.yaml", Path("/tmp/a b"), "0,1", None)
    assert shlex.split(same) == ["--preset", "my preset.yaml", "--out", "/tmp/a b", "--seeds", "0,1"]
