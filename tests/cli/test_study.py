import pytest

from manyshot.cli.study import carry_out
from manyshot.errors import RecipeError
from manyshot.studies import Job

JOBS = [Job("full+mix10", 1e-3, 0, "qa/role"), Job("lora", 3e-3, 1, "a task")]


def test_every_training_is_a_command_that_a_shell_can_run():
    said, done = [], []
    carry_out(JOBS, done.append, None, "manyshot study preservation --out there", said.append)
    assert said == [
        "manyshot study preservation --out there --only full+mix10-lr0.001-seed0-qa_role",
        "manyshot study preservation --out there --only 'lora-lr0.003-seed1-a task'",
    ]
    assert not done


def test_one_training_is_carried_out_by_its_name_and_an_unknown_one_names_the_nearest():
    done = []
    carry_out(JOBS, done.append, JOBS[1].name, "", print)
    assert done == [JOBS[1]]
    with pytest.raises(RecipeError, match='did you mean "full'):
        carry_out(JOBS, done.append, "full+mix10-lr0.001-seed0-qa_rol", "", print)
