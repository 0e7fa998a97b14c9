import json

import pytest

from manyshot.errors import RunError
from manyshot.studies import PRESERVING, Preservation, PreservationPreset, load_preset, preservation
from tests.studies.place import make_place

PRESET = """
cost: seconds
model: {folder}/model
suite: {folder}/suite
methods: [full, lora, full+mix10+icl_format20+kl_icl]
candidates: [lora]
targets: [topic_train_0]
dev_targets: [mood_dev_0]
general: [role_train_0, keywords_train_0]
dev: [size_dev_0, word_of_kind_dev_0]
held_out: [mood_held_out_0, role_held_out_0]
shots: 2
draws: 1
limit: 6
budget_tokens: 256
step_tokens: 300
steps: 1
learning_rates: [1.0e-4, 1.0e-3]
chosen: {{full+mix10+icl_format20+kl_icl: 1.0e-4}}
scales: {{lora: 10}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("preservation"), PRESET)


@pytest.fixture(scope="module")
def done(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preservation, "LEAST_GAIN_FROM_SHOTS", -1.0)
        study = Preservation(load_preset(str(place / "preset.yaml"), PreservationPreset), place / "out")
        return study.execute()


def test_a_model_without_in_context_learning_is_refused(place):
    study = Preservation(load_preset(str(place / "preset.yaml"), PreservationPreset), place / "refused")
    with pytest.raises(RunError, match="no in-context learning to lose"):
        study.execute()
    assert not (place / "refused" / "runs").exists()


def test_every_method_reports_what_it_taught_and_what_it_left(done):
    assert set(done["methods"]) == {"full", "lora", "full+mix10+icl_format20+kl_icl"}
    for report in done["methods"].values():
        assert {"target_gain", "target_icl_gain", "icl_drop", "icl_drop_ci95", "gain_drop", "seconds_ratio"} <= set(
            report
        )
    assert done["methods"]["full"]["seconds_ratio"] == 1.0
    assert set(done["diverse"]) == {"full", "lora"}
    assert done["best"] == "lora"


def test_the_gain_on_a_target_is_its_score_without_shots_after_less_before(place, done):
    rows = [json.loads(line) for line in (place / "out" / "judged" / "scores.jsonl").read_text().splitlines()]
    at = {r["method"]: r["score"] for r in rows if r["task"] == "topic_train_0" and r["shots"] == 0}
    rate = done["methods"]["full"]["learning_rate"]
    after = at[f"full-lr{rate:g}-seed0-topic_train_0"]
    assert done["methods"]["full"]["target_gain"] == pytest.approx(after - at["base"], abs=1e-4)


def test_adapters_are_tuned_at_their_own_scale_of_learning_rates(done):
    assert done["methods"]["lora"]["learning_rate"] in (1e-3, 1e-2)
    assert done["methods"]["full"]["learning_rate"] in (1e-4, 1e-3)


def test_only_methods_that_mix_general_rows_in_read_them(place, done):
    for method in PRESERVING:
        for folder in (place / "out" / "runs").glob(f"{method}-lr*-topic_train_0"):
            recipe = (folder / "recipe.yaml").read_text()
            assert ("general: null" not in recipe.split("mix:")[0]) == ("mix10" in method)


def test_the_presets_of_the_package_are_valid():
    assert load_preset("smoke", PreservationPreset).methods == ["full", "lora"]
