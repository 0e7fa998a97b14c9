import json
from types import SimpleNamespace

import pytest

from manyshot.errors import RecipeError
from manyshot.models import load_tokenizer
from manyshot.records import read_scores
from manyshot.stage_data import build_dataset
from manyshot.studies import METHODS, Job, Ladder, LadderPreset, load_preset
from manyshot.studies.methods import BASE
from tests.studies.place import make_place

PRESET = """
cost: seconds
model: {folder}/model
suite: {folder}/suite
methods: [few_shot_ft, manyicl, dedicated_ft]
train: [topic_train_0, negation_train_0]
held_out: [mood_held_out_0]
near: [title_held_out_0]
seen: [topic_train_0]
dev: [mood_dev_0]
shots: [0, 2]
dev_shots: [0, 2]
draws: 1
limit: 3
dev_limit: 3
budget_tokens: 256
step_tokens: 600
steps: 2
curve_points: [0.5]
dedicated_steps: 1
learning_rates: [1.0e-4, 1.0e-1]
text: builtin
chosen: {{few_shot_ft: 1.0e-4, dedicated_ft: 1.0e-4}}
seeds: [0, 1]
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_place(tmp_path_factory.mktemp("ladder"), PRESET)


@pytest.fixture(scope="module")
def done(place):
    said = []
    result = Ladder(load_preset(str(place / "preset.yaml"), LadderPreset), place / "out", said.append).execute()
    return result, said


def recipe_of(ladder: Ladder, method: str):
    return ladder.recipe(Job(method, 1e-4, 0))


def test_every_method_reads_about_the_same_number_of_tokens_a_step(place):
    preset = load_preset(str(place / "preset.yaml"), LadderPreset, step_tokens=3000)
    ladder = Ladder(preset, place / "tokens")
    tokenizer = load_tokenizer(preset.model)
    for method in METHODS:
        recipe = recipe_of(ladder, method)
        stage = recipe.stages[0]
        args = stage.training.args
        n_rows = args["per_device_train_batch_size"] * args["gradient_accumulation_steps"]
        tasks = ladder.suite.load(ladder.suite.select(stage.data.tasks))
        rows = build_dataset(stage, tasks, tokenizer, 7, n_rows=n_rows)
        tokens = sum(len(rows[n]["input_ids"]) for n in range(n_rows))
        assert tokens == pytest.approx(3000, rel=0.2), method


def test_made_up_labels_are_for_every_method_that_shows_what_they_mean(place):
    ladder = Ladder(load_preset(str(place / "preset.yaml"), LadderPreset, symbols=0.5), place / "symbols")
    shares = {method: recipe_of(ladder, method).stages[0].data.mix.symbols for method in METHODS}
    assert shares == {method: 0.5 if METHODS[method].examples != "one" else 0.0 for method in METHODS}


def test_methods_differ_in_rows_and_targets_only(place):
    preset = load_preset(str(place / "preset.yaml"), LadderPreset)
    ladder = Ladder(preset, place / "recipes")
    found = {m: recipe_of(ladder, m).model_dump() for m in METHODS if METHODS[m].answers_of is None}
    for recipe in found.values():
        stage = recipe["stages"][0]
        del stage["data"]["episodes"], stage["objective"]["scope"], stage["objective"]["shot_weights"]
        for key in ("per_device_train_batch_size", "gradient_accumulation_steps"):
            del stage["training"]["args"][key]
    assert all(recipe == found["manyicl"] for recipe in found.values())


def test_the_shortened_training_supervises_the_answers_of_the_other_method_and_no_step_more(place):
    ladder = Ladder(load_preset(str(place / "preset.yaml"), LadderPreset, steps=12), place / "answers")
    tokenizer = load_tokenizer(ladder.preset.model)

    def answers(method):
        stage = recipe_of(ladder, method).stages[0]
        args = stage.training.args
        rows_a_step = args["per_device_train_batch_size"] * args["gradient_accumulation_steps"]
        tasks = ladder.suite.load(ladder.suite.select(stage.data.tasks))
        rows = build_dataset(stage, tasks, tokenizer, 3, n_rows=rows_a_step * args["max_steps"])
        # runs of trained tokens
        n = sum(int(((row["labels"][1:] >= 0) & (row["labels"][:-1] < 0)).sum()) for row in rows)
        return n, n / args["max_steps"]

    (few, _), (short, a_step) = answers("few_shot_ft"), answers("manyicl_short")
    assert few < short + 0.3 * a_step
    assert short < few + 1.3 * a_step


def test_near_tasks_and_families_are_reported_apart_from_held_out_ones(place, done):
    result, _ = done
    scores = read_scores(place / "out")
    assert result["n_tasks"] == {"held_out": 1, "near": 1, "seen": 1}
    for role, task in (("held_out", "mood_held_out_0"), ("near", "title_held_out_0"), ("seen", "topic_train_0")):
        ((_, methods),) = result["by_family"][role].items()
        for name, points in methods.items():
            for k, point in points.items():
                mine = [s.score for s in scores if (s.method, s.task, s.shots) == (name, task, int(k))]
                assert point["mean"] == pytest.approx(sum(mine) / len(mine), abs=1e-5), (role, name, k)
    # in-context learning is kept or lost on tasks that were not tuned on
    assert set(result["retention"]["manyicl"]["tasks"]) | set(result["retention"]["manyicl"]["left_out"]) == {
        "mood_held_out_0",
        "title_held_out_0",
    }


def test_a_task_of_two_roles_is_refused(place):
    preset = load_preset(str(place / "preset.yaml"), LadderPreset, near=["mood_held_out_0"])
    with pytest.raises(RecipeError, match="in both held_out and near"):
        Ladder(preset, place / "roles")


def test_learning_curves_end_at_the_tokens_and_the_score_of_the_whole_training(place, done):
    result, _ = done
    assert set(result["learning_curves"]) == {"few_shot_ft", "manyicl"}
    scores = read_scores(place / "out" / "learning")
    for name, points in result["learning_curves"].items():
        folder = place / "out" / "runs" / f"{name}-lr{result['learning_rates'][name]:g}-seed0"
        tokens = json.loads((folder / "extras.json").read_text())["tuned"]["trained_tokens"]
        (half, _), (whole, last) = points
        assert 0.3 < half / whole < 0.7
        assert whole == tokens
        final = [s.score for s in scores if s.method == f"{name}@2"]
        assert last == pytest.approx(sum(final) / len(final), abs=1e-5)
        # what the curve alone needed is gone
        assert len(list((folder / "checkpoints").iterdir())) == 1
    assert {s.task for s in scores} == {"mood_dev_0"}


def test_a_process_that_is_not_the_first_writes_nothing(place, done):
    ladder = Ladder(load_preset(str(place / "preset.yaml"), LadderPreset), place / "out")
    ladder.ranks = SimpleNamespace(is_main=False, wait=lambda: None)
    before = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*") if path.is_file()}
    assert ladder.execute() == done[0]
    assert {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*") if path.is_file()} == before


def test_a_ladder_writes_a_run_folder_with_every_method_seed_and_difference(place, done):
    result, _ = done
    assert set(result["methods"]) == {BASE, "few_shot_ft", "manyicl", "dedicated_ft"}
    assert result["seeds"] == [0, 1]
    assert set(result["paired"]["manyicl-few_shot_ft"]) == {"0", "2"}
    for k, (low, high) in result["paired"]["manyicl-few_shot_ft"].items():
        assert low <= result["paired_mean"]["manyicl-few_shot_ft"][k] <= high
    names = {path.name for path in (place / "out").iterdir()}
    assert {
        "scores.jsonl",
        "predictions.jsonl",
        "summary.json",
        "ladder.json",
        "ladder.md",
        "manifest.json",
        "examples.json",
    } <= names
    scores = [json.loads(line) for line in (place / "out" / "scores.jsonl").read_text().splitlines()]
    # a seed has draws of its own; the base is judged on all of them
    assert {(s["method"], s["draw"]) for s in scores} == {(m, d) for m in result["methods"] for d in (0, 1)}
    assert {s["shots"] for s in scores if s["method"] == "dedicated_ft"} == {0}


def test_what_is_left_to_do_is_the_grid_first_then_the_report_then_nothing(place, done):
    preset = load_preset(str(place / "preset.yaml"), LadderPreset)
    fresh = Ladder(preset, place / "todo").todo()
    assert [job.name for job in fresh] == ["manyicl-lr0.0001-seed0", "manyicl-lr0.1-seed0"]
    finished = Ladder(preset, place / "out")
    assert finished.todo() == []
    # the grid is done, and one of the report's trainings is lost: it alone is left
    lost = next(job for job in finished.finals() if job.seed == 1 and job.method == "manyicl")
    extras = place / "out" / "runs" / lost.name / "extras.json"
    kept = extras.read_text()
    extras.unlink()
    assert finished.todo() == [lost]
    extras.write_text(kept)


def test_the_learning_rate_is_the_better_one_on_dev(place, done):
    result, _ = done
    rows = [json.loads(line) for line in (place / "out" / "dev" / "scores.jsonl").read_text().splitlines()]
    means = {}
    for rate in (1e-4, 1e-1):
        mine = [row["score"] for row in rows if row["method"] == f"manyicl@{rate:g}"]
        means[rate] = sum(mine) / len(mine)
    assert {row["task"] for row in rows} == {"mood_dev_0"}
    assert result["learning_rates"]["manyicl"] == max(means, key=means.get)
    assert result["learning_rates"]["few_shot_ft"] == 1e-4
    assert result["learning_rate_scores"] == {
        "manyicl": {f"{r:g}": pytest.approx(m, abs=1e-6) for r, m in means.items()}
    }


def test_differences_on_near_tasks_stand_apart(place, done):
    result, _ = done
    pairs = {"few_shot_ft-base", "manyicl-base", "manyicl-few_shot_ft"}
    assert set(result["near"]["paired"]) == set(result["paired"]) == pairs
    scores = read_scores(place / "out")
    means = [
        sum(s.score for s in scores if (s.method, s.task, s.shots) == (m, "title_held_out_0", 2)) / 2
        for m in ("manyicl", "few_shot_ft")
    ]
    assert result["near"]["paired_mean"]["manyicl-few_shot_ft"]["2"] == pytest.approx(means[0] - means[1], abs=1e-5)
    claimed = [c for c in result["claims"] if c["claim"] == "manyicl - few_shot_ft, near tasks"]
    assert [c["ci95"] for c in claimed] == [result["near"]["paired"]["manyicl-few_shot_ft"]["2"]]


def test_every_method_has_a_retention_report_and_dedicated_models_theirs_on_tasks_that_are_not_their_own(place, done):
    result, _ = done
    assert set(result["retention"]) == {"few_shot_ft", "manyicl", "dedicated_ft"}
    assert all(set(r["held_out"]) == {"0", "2"} for r in result["retention"].values())
    name = f"dedicated_ft-lr{result['learning_rates']['dedicated_ft']:g}-seed0-topic_train_0"
    (folder,) = (p for p in (place / "out" / "dedicated").iterdir() if p.is_dir())
    assert folder.name == name
    scores = read_scores(folder)
    assert {(s.task, s.shots, s.draw) for s in scores} == {
        (task, k, 0) for task in ("mood_held_out_0", "title_held_out_0") for k in (0, 2)
    }
    found = result["retention"]["dedicated_ft"]["normalised_average"]["2"]
    assert found == pytest.approx(50 * sum(s.score for s in scores if s.shots == 2), abs=1e-3)
    # on the curves over shots they are on their own tasks alone
    assert not result["methods"]["dedicated_ft"].get("held_out")


def test_bits_per_byte_are_measured_for_the_base_and_every_method_over_all_tasks(done):
    result, _ = done
    bits = {name: m.get("general_bits_per_byte") for name, m in result["methods"].items()}
    assert bits.pop("dedicated_ft") is None
    assert all(value > 0 for value in bits.values())
    change = result["retention"]["manyicl"]["general_bits_per_byte_change"]
    assert change == pytest.approx(bits["manyicl"] - bits["base"], abs=1e-3)


def test_held_out_tasks_are_counted_as_read_by_those_that_read_them(place, done):
    # the base, two methods of two seeds, and the first seed's one dedicated model; the second seed's reads its own task alone
    assert json.loads((place / "out" / "manifest.json").read_text())["held_out_reads"] == 6


def test_the_base_may_be_named_among_the_methods(place):
    preset = load_preset(str(place / "preset.yaml"), LadderPreset, methods=["base", "manyicl"])
    assert preset.methods == ["manyicl"]


def test_a_finished_ladder_trains_and_reads_nothing_again(place, done):
    first, said = done
    assert any(line.startswith("training ") for line in said)
    again = []
    result = Ladder(load_preset(str(place / "preset.yaml"), LadderPreset), place / "out", again.append).execute()
    assert result == first
    assert not [line for line in again if line.startswith("training ") or "by shots" in line]
