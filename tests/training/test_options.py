"""Training arguments: owned and unknown fields are refused by name, our defaults stand below the user's."""

import pytest
import torch
from pydantic import ValidationError

from manyshot.errors import RecipeError
from manyshot.training import TrainingOptions, make_arguments
from manyshot.training import options as training_options
from manyshot.training.options import OWNED, cpu_has_bf16

on_cpu_only = pytest.mark.skipif(torch.accelerator.is_available(), reason="asks what happens without an accelerator")


@pytest.mark.parametrize("field", sorted(OWNED))
def test_a_field_that_is_owned_is_refused_by_name(field):
    with pytest.raises(ValidationError, match=f'"{field}" is not yours to set'):
        TrainingOptions(args={field: None})


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("learning_rat", "learning_rate"),
        ("gradient_accumulation", "gradient_accumulation_steps"),
        ("max_step", "max_steps"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_one(wrong, meant):
    with pytest.raises(ValidationError, match=f'no field "{wrong}", did you mean "{meant}"'):
        TrainingOptions(args={wrong: 1})


def test_a_field_like_nothing_known_is_refused_without_a_guess():
    with pytest.raises(ValidationError, match='no field "zzzzqqq"') as raised:
        TrainingOptions(args={"zzzzqqq": 1})
    assert "did you mean" not in str(raised.value)


def test_a_wrong_value_is_one_line_that_names_the_section(tmp_path):
    with pytest.raises(RecipeError, match=r"^training\.args: .*cosin") as raised:
        make_arguments(TrainingOptions(args={"lr_scheduler_type": "cosin"}), tmp_path, 0)
    assert "\n" not in str(raised.value)


def test_the_users_fields_stand_above_our_defaults(tmp_path):
    made = make_arguments(TrainingOptions(args={"learning_rate": 3e-3, "max_steps": 7}), tmp_path, 0)
    assert (made.learning_rate, made.max_steps) == (3e-3, 7)
    assert made.logging_steps == 10


def test_what_exact_resumption_depends_on_is_set(tmp_path):
    made = make_arguments(TrainingOptions(), tmp_path, 0)
    assert made.train_sampling_strategy == "sequential"
    assert made.remove_unused_columns is False
    assert made.logging_nan_inf_filter is False
    assert made.ignore_data_skip is False
    assert made.save_only_model is False


def test_warmup_steps_below_one_are_a_share_of_all_steps(tmp_path):
    made = make_arguments(TrainingOptions(args={"warmup_steps": 0.1}), tmp_path, 0)
    assert made.get_warmup_steps(200) == 20


def test_a_derived_seed_of_63_bits_is_accepted(tmp_path):
    assert 0 <= make_arguments(TrainingOptions(), tmp_path, 2**63 - 1).seed < 2**31


@on_cpu_only
@pytest.mark.parametrize("chip", [True, False])
def test_bf16_is_chosen_where_the_chip_has_it(chip, tmp_path, monkeypatch):
    monkeypatch.setattr(training_options, "cpu_has_bf16", lambda: chip)
    made = make_arguments(TrainingOptions(), tmp_path, 0)
    assert made.bf16 is chip
    assert made.use_cpu is True


def test_bf16_can_be_switched_off(tmp_path):
    assert make_arguments(TrainingOptions(args={"bf16": False}), tmp_path, 0).bf16 is False


@on_cpu_only
def test_fp16_asked_for_is_not_crossed_by_a_bf16_that_nobody_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(training_options, "cpu_has_bf16", lambda: True)
    made = make_arguments(TrainingOptions(args={"fp16": True}), tmp_path, 0)
    assert made.fp16 is True
    assert made.bf16 is False


def test_the_chips_bf16_is_known():
    assert cpu_has_bf16() in (True, False)
