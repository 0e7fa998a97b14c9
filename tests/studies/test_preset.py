import pytest

from manyshot.errors import RecipeError
from manyshot.studies import LadderPreset, PreservationPreset, load_preset
from manyshot.tasks.builtin import list_splits, rule_of
from manyshot.tasks.builtin.rules import RULES


def test_an_unknown_preset_or_method_names_the_nearest():
    with pytest.raises(RecipeError, match='did you mean "smoke"'):
        load_preset("smok", LadderPreset)
    with pytest.raises(RecipeError, match='did you mean "manyicl"'):
        load_preset("smoke", LadderPreset, methods=["manyicle"])


@pytest.mark.parametrize("name", ["demo", "smoke", "tiny", "real"])
def test_the_ladders_presets_of_the_package_are_valid(name):
    assert load_preset(name, LadderPreset).learning_rates


@pytest.mark.parametrize("name", ["smoke", "tiny", "real", "mmlu"])
def test_the_preservation_presets_of_the_package_are_valid(name):
    preset = load_preset(name, PreservationPreset)
    assert set(preset.candidates) <= set(preset.methods)
    assert preset.seeds


@pytest.mark.parametrize("name", ["smoke", "tiny"])
def test_held_out_are_recall_and_rules_that_need_demonstrations_and_are_no_targets(name):
    preset, splits = load_preset(name, PreservationPreset), list_splits()
    # both presets are judged on the same tasks
    tuned = {rule_of(task) for task in load_preset("tiny", PreservationPreset).targets}
    needy = [task for task in splits["held_out_small"] if RULES[rule_of(task)].needs_demonstrations]
    assert preset.held_out == ["recall", *(task for task in needy if rule_of(task) not in tuned)]
    assert set(preset.targets) <= set(splits["train"]) - set(preset.general)
    assert len({RULES[rule_of(task)].family for task in preset.targets}) == len(preset.targets)


def test_every_way_of_the_issue_is_in_the_tiny_study():
    wanted = "full lora lora_qv value_only value_lora qk_only full+mix10 full+icl_format20 full+kl_icl full+kl_input full+l2_sp "
    wanted += "few_shot_aux promot lora_r4 lora_r64"
    assert set(wanted.split()) <= set(load_preset("tiny", PreservationPreset).methods)


def test_choices_must_not_see_the_targets():
    with pytest.raises(RecipeError, match="in targets and in dev_targets"):
        load_preset("smoke", PreservationPreset, dev_targets=load_preset("smoke", PreservationPreset).targets[:1])
