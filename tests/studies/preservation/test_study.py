import json

import pytest
import yaml

from manyshot.errors import RunError
from manyshot.inference import Reader
from manyshot.models import load_model
from manyshot.reporting import write_preservation
from manyshot.studies import PRESERVING, Job, Preservation, PreservationPreset, load_preset
from manyshot.studies.jobs import alone
from manyshot.studies.preservation import study as module
from manyshot.tasks import open_suite
from tests.studies.place import make_place

METHODS = ["full", "lora", "full+mix10+icl_format20+kl_icl", "promot"]
PRESET = """
cost: seconds
model: {folder}/model
suite: {folder}/suite
methods: [full, lora, full+mix10+icl_format20+kl_icl, promot]
candidates: [lora]
targets: [topic_train_0]
dev_targets: [mood_dev_0]
general: [role_train_0, keywords_train_0]
dev: [size_dev_0]
held_out: [mood_held_out_0, role_held_out_0]
shots: 2
draws: 1
limit: 4
budget_tokens: 256
step_tokens: 300
steps: 2
learning_rates: [1.0e-4, 1.0e-3]
chosen: {{full: 1.0e-3, full+mix10+icl_format20+kl_icl: 1.0e-4}}
scales: {{lora: 10}}
share_rates: true
diversity: [3]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("preservation"), PRESET)


@pytest.fixture(scope="module")
def done(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST_GAIN_FROM_SHOTS", -1.0)
        study = Preservation(load_preset(str(place / "preset.yaml"), PreservationPreset), place / "out")
        return study.execute()


def test_a_model_without_in_context_learning_is_refused(place):
    study = Preservation(load_preset(str(place / "preset.yaml"), PreservationPreset), place / "refused")
    with pytest.raises(RunError, match="no in-context learning to lose"):
        study.execute()
    assert not (place / "refused" / "runs").exists()


def test_every_method_reports_what_it_taught_and_what_it_left(done):
    assert set(done["methods"]) == {*METHODS, "best"}
    for report in done["methods"].values():
        assert {"target_gain", "target_icl_gain", "icl_drop", "icl_drop_ci95", "gain_drop", "seconds_ratio"} <= set(
            report
        )
    assert done["methods"]["full"]["seconds_ratio"] == 1.0
    assert set(done["diverse"]) == {"full", "lora"}
    assert done["best"] == "lora"


def test_the_gain_on_a_target_is_its_score_without_shots_after_less_before(place, done):
    rate = done["methods"]["full"]["learning_rate"]
    at = {}
    for name in ("base", f"full-lr{rate:g}-seed0-topic_train_0"):
        lines = (place / "out" / "judged" / name / "scores.jsonl").read_text().splitlines()
        at[name] = next(r["score"] for r in map(json.loads, lines) if r["task"] == "topic_train_0" and r["shots"] == 0)
    assert done["methods"]["full"]["target_gain"] == pytest.approx(at[name] - at["base"], abs=1e-4)


def test_promot_splits_the_steps_of_the_others_and_counts_both_stages(place, done):
    own, full = done["methods"]["promot"], done["methods"]["full"]
    folder = next((place / "out" / "runs").glob("promot-*-topic_train_0"))
    stages = yaml.safe_load((folder / "recipe.yaml").read_text())["stages"]
    assert [s["training"]["args"]["max_steps"] for s in stages] == [1, 1]
    assert own["trained_tokens"] == pytest.approx(full["trained_tokens"], rel=0.3)
    # all of the model moves in the second stage
    assert own["trained_parameters"] == full["trained_parameters"]
    timings = [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()]
    assert own["seconds"] == pytest.approx(sum(t.get("seconds", 0) for t in timings), abs=0.11)


def test_a_model_tuned_behind_a_prompt_reads_its_target_behind_it_and_nothing_else(place, done):
    """Oracle: the model's own reading of both tasks without the prompt."""
    folder = next((place / "out" / "runs").glob("promot-*-topic_train_0"))
    rows = [
        json.loads(x) for x in (place / "out" / "judged" / folder.name / "predictions.jsonl").read_text().splitlines()
    ]
    loaded = load_model(folder / "model")
    reader, suite = Reader(loaded.model, loaded.tokenizer), open_suite(place / "suite")
    for name, same in (("topic_train_0", False), ("mood_held_out_0", True)):
        task = suite.load([name])[0]
        found = {r["query"]: r["logprob"] for r in rows if r["task"] == name and r["shots"] == 0}
        answers = reader.prime(task).answer([task.test[q].input for q in found])
        close = [a.logprob == pytest.approx(v, abs=1e-3) for a, v in zip(answers, found.values(), strict=True)]
        assert all(close) if same else not any(close)


def test_every_model_is_judged_on_foreign_tasks_and_its_own_target_only(place, done):
    for folder in (place / "out" / "judged").glob("*seed0-topic_train_0"):
        tasks = {json.loads(line)["task"] for line in (folder / "scores.jsonl").read_text().splitlines()}
        assert tasks == {"mood_held_out_0", "role_held_out_0", "topic_train_0"}


def test_more_and_more_tasks_are_tuned_on_at_the_same_tokens(done):
    sweep = done["diversity"]
    assert {name: (m["n_tasks"], m["n_families"]) for name, m in sweep.items()} == {"3": (3, 3)}
    # two steps of 300, of a handful of rows each
    assert sweep["3"]["trained_tokens"] == pytest.approx(600, rel=0.3)
    assert done["diverse"]["full"]["trained_tokens"] == pytest.approx(600, rel=0.3)


def test_methods_that_move_the_same_parameters_share_a_learning_rate(place, done):
    assert done["methods"]["promot"]["learning_rate"] == done["methods"]["full"]["learning_rate"]
    assert not list((place / "out" / "runs").glob("promot-*-mood_dev_0"))


def test_a_finished_study_has_nothing_to_do_and_an_unfinished_training_is_listed(place, done):
    preset = load_preset(str(place / "preset.yaml"), PreservationPreset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST_GAIN_FROM_SHOTS", -1.0)
        study = Preservation(preset, place / "out")
        assert study.todo() == []
        extras = next((place / "out" / "runs").glob("lora-*-topic_train_0")) / "extras.json"
        kept = extras.read_text()
        extras.unlink()
        assert [job.name for job in study.todo()] == [extras.parent.name]
        extras.write_text(kept)


def test_what_another_process_is_at_comes_last(place, done, monkeypatch):
    work = Preservation(load_preset(str(place / "preset.yaml"), PreservationPreset), place / "out").work
    jobs, order = [Job("full", 1e-3, seed, "topic_train_0") for seed in (7, 8)], []
    monkeypatch.setattr(work, "judge", order.append)
    with alone(work.folder / "runs" / jobs[0].name):
        work.judge_all(jobs)
    # the second round waits for what others hold, and finds the rest done
    assert order == [jobs[1], *jobs]


def test_the_page_and_the_tables_say_what_the_result_says(place, done):
    page = write_preservation(place / "out")
    text = (page.parent / "preservation.md").read_text()
    gain = f"{done['methods']['promot']['target_gain']:+.3f}"
    assert f"| promot | {gain} |" in text
    assert gain in page.read_text()
    assert (page.parent / "figures" / "preservation_plane.svg").is_file()


def test_adapters_are_tuned_at_their_own_scale_of_learning_rates(done):
    assert done["methods"]["lora"]["learning_rate"] in (1e-3, 1e-2)
    assert done["methods"]["full"]["learning_rate"] == 1e-3


def test_only_methods_that_mix_general_rows_in_read_them(place, done):
    for method in PRESERVING:
        for folder in (place / "out" / "runs").glob(f"{method}-lr*-topic_train_0"):
            recipe = (folder / "recipe.yaml").read_text()
            assert ("general: null" not in recipe.split("mix:")[0]) == ("mix10" in method)


@pytest.mark.parametrize(
    ("gains", "rate"),
    [
        ({3e-3: 0.5, 1e-3: 0.5}, 1e-3),
        ({1e-3: 0.48, 3e-3: 0.5}, 1e-3),
        ({1e-3: 0.4, 3e-3: 0.5}, 3e-3),
        ({1e-3: -0.2, 3e-3: -0.1}, 3e-3),
        ({1e-3: 0.0, 3e-3: 0.0}, 1e-3),
    ],
)
def test_the_lowest_rate_is_chosen_of_those_that_teach_nearly_as_much_as_the_best(gains, rate):
    assert module.gentlest(gains) == rate
