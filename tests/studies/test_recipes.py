import pytest

from manyshot.studies import PreservationPreset, load_preset
from manyshot.studies.jobs import Job
from manyshot.studies.methods import PRESERVING, tuning_of
from manyshot.studies.preservation.trainings import Trainings
from manyshot.studies.recipes import split_rows


@pytest.mark.parametrize(
    ("n_rows", "at_once", "split"),
    [
        (80, 100, (80, 1)),
        (39, 10, (10, 4)),
        (9, 8, (8, 1)),
        (3, 2, (1, 3)),
        (1, 1, (1, 1)),
        (16, 8, (8, 2)),
    ],
)
def test_a_step_has_about_the_rows_that_were_asked_for_in_batches_that_are_not_small(n_rows, at_once, split):
    assert split_rows(n_rows, min(n_rows, at_once)) == split


def test_batches_that_mix_short_and_long_rows_hold_no_more_tokens_than_the_widest_method_s(tmp_path):
    preset = load_preset("tiny", PreservationPreset, methods=["full", "full+kl_icl"])
    work = Trainings(preset, tmp_path, lambda line: None)
    sizes = {}
    for method in preset.methods:
        args = work.recipe(Job(method, 1e-3, 0, "role_train_0")).stages[0].training.args
        sizes[method] = args["per_device_train_batch_size"], args["gradient_accumulation_steps"]
    # a target's rows are short and all go at once; among rows of 16 demonstrations they are padded to those
    assert sizes["full"][1] == 1
    assert sizes["full+kl_icl"][1] > 1
    assert sizes["full+kl_icl"][0] <= preset.rows_at_once * 2 < sizes["full"][0]


def test_a_method_is_tuned_by_its_last_stage():
    assert tuning_of("promot+mlp") == tuning_of("mlp") == {"preset": "mlp"}
    assert tuning_of("promot") == tuning_of("full") == {}
    assert all(isinstance(tuning_of(name), dict) for name in PRESERVING)


def test_a_control_may_have_fewer_steps(tmp_path):
    work = Trainings(load_preset("tiny", PreservationPreset), tmp_path, lambda line: None)
    steps = {
        m: sum(s.training.args["max_steps"] for s in work.recipe(Job(m, 1e-3, 0, "role_train_0")).stages)
        for m in ("full", "full_half", "promot")
    }
    assert steps == {"full": 25, "full_half": 12, "promot": 25}
