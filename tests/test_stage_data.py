"""What a stage mixes in and what its guard probes, in whole runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import manyshot
from manyshot import run as run_module
from manyshot.errors import ModelError, RecipeError
from manyshot.files import read_lines, write_json
from manyshot.inference import Reader
from manyshot.models import load_model, save_prompt
from manyshot.models.soft_prompt import FILE, load_prompt, new_prompt
from manyshot.recipe import make_recipe
from manyshot.run import Run
from manyshot.seeds import derive
from manyshot.stage_data import build_dataset, build_probe, guard_tasks
from manyshot.studies.preservation.prompt import prompted_reader
from manyshot.tasks import SuiteOptions, open_suite, save_task
from manyshot.training import GUARD, GuardOptions
from tests import tiny
from tests.small_run import recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A suite with a dev task, and a folder of general tasks beside it."""
    root = tmp_path_factory.mktemp("root")
    for name, seed in (("seen", 0), ("watched", 3), ("held", 7)):
        save_task(tiny.word_task(name, n_train=30, n_test=6, seed=seed), root / "suite" / name)
    write_json(root / "suite" / "suite.json", {"train": ["seen"], "dev": ["watched"], "held_out": ["held"]})
    save_task(tiny.copy_task("instructions"), root / "general" / "instructions")
    return root


def test_the_probe_is_the_score_above_the_floor_that_an_evaluation_gives(root):
    suite, model = open_suite(root / "suite"), tiny.model("llama")
    tasks = suite.load(["watched", "held"])
    guard = GuardOptions(shots=3, draws=2, limit=5)
    summary = manyshot.evaluate(model, tiny.tokenizer(), tasks, [3], draws=2, limit=5, seed=derive(4, "guard"))
    cells = summary["methods"]["model"]["tasks"]
    expected = sum(cells[t.name]["score"] - cells[t.name]["floor"] for t in tasks) / 2
    assert build_probe(guard, tasks, tiny.tokenizer(), 4)(model) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("tasks", "why"), [(["held"], "is in the split held_out"), (["seen"], "is trained on")])
def test_a_guard_on_held_out_or_trained_tasks_is_refused(root, tasks, why):
    suite = open_suite(root / "suite")
    with pytest.raises(RecipeError, match=rf'training\.guard\.tasks: "{tasks[0]}" {why}.*name dev tasks'):
        guard_tasks(GuardOptions(tasks=tasks), suite, suite.load(["seen"]))


def test_a_guarded_run_ends_with_the_model_that_the_guard_keeps(root, tmp_path, monkeypatch):
    values = iter([1.0, 0.95, 0.2])
    monkeypatch.setattr(run_module, "build_probe", lambda *arguments: lambda model: next(values))
    args = {"max_steps": 6, "save_steps": 100, "learning_rate": 0.1, "optim": "sgd", "bf16": False, "use_cpu": True}
    args |= {"per_device_train_batch_size": 1, "lr_scheduler_type": "constant", "warmup_steps": 0}
    guarded = {"args": args, "guard": {"every_steps": 2, "max_drop": 0.1}}
    Run(recipe(root / "suite", training=guarded), tmp_path / "guarded").train()
    short = {"args": {**args, "max_steps": 2}}
    Run(recipe(root / "suite", training=short), tmp_path / "short").train()
    a, b = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("guarded", "short"))
    assert all(torch.equal(a[key], b[key]) for key in b)
    rows = [row for _, row in read_lines(tmp_path / "guarded" / GUARD)]
    assert [(row["stage"], row["step"], row["within"]) for row in rows] == [
        ("tune", 0, True),
        ("tune", 2, True),
        ("tune", 4, False),
    ]


def mixed(root, **mix):
    data = {"episodes": {"budget_tokens": 128}, "general": str(root / "general"), "mix": mix}
    return recipe(root / "suite", data=data)


def test_general_tasks_are_a_tenth_of_the_rows_unless_said_otherwise(root):
    suite = open_suite(root / "suite")
    for mix, share in (({}, 0.1), ({"general": 0.5}, 0.5), ({"general": 0}, 0)):
        rows = build_dataset(mixed(root, **mix).stages[0], suite.load(["seen"]), tiny.tokenizer(), 0, n_rows=600)
        general = [rows.episode(n) for n in range(600) if rows.episode(n).is_general]
        assert len(general) / 600 == pytest.approx(share, abs=0.06)
        assert {episode.task for episode in general} <= {"instructions"}


def test_a_run_with_general_rows_and_all_terms_trains_and_names_them(root, tmp_path):
    preservation = {"kl_input": 0.3, "kl_icl": 0.1, "l2_sp": 0.01, "few_shot_aux": True}
    made = mixed(root, general=0.5, icl_format=0.5).model_dump()
    made["stages"][0]["objective"]["preservation"] = preservation
    folder = tmp_path / "run"
    Run(make_recipe(made), folder).train()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["stages"]["tune"]["tasks"]) == {"seen", "instructions"}
    logged = [row for _, row in read_lines(folder / "metrics.jsonl") if "loss" in row]
    assert any("kl_input" in row for row in logged)
    assert all("l2_sp" in row for row in logged)


def test_a_term_on_general_rows_without_general_tasks_is_refused(root):
    with pytest.raises(RecipeError, match=r"kl_icl holds answers of general rows; set data\.general"):
        recipe(root / "suite", objective={"preservation": {"kl_icl": 0.1}})
    with pytest.raises(RecipeError, match=r"data\.mix\.general is 0\.2.*set data\.general"):
        recipe(root / "suite", data={"mix": {"general": 0.2}})


def test_promot_in_two_stages_gives_a_plain_model_and_keeps_the_prompt_beside_the_first(root, tmp_path):
    made = recipe(root / "suite").model_dump()
    stage = made["stages"][0]
    first = {**stage, "name": "prompt", "tuning": {"preset": "soft_prompt", "soft_prompt_tokens": 4}}
    made["stages"] = [first, {**stage, "name": "tune", "tuning": {"preset": "full", "soft_prompt_from": "prompt"}}]
    folder = tmp_path / "run"
    Run(make_recipe(made), folder).train()
    places = (folder / "base", folder / "stages" / "prompt", folder / "model")
    base, between, final = (load_file(place / "model.safetensors") for place in places)
    # the first stage leaves the model alone, and no prompt is in any model
    assert base.keys() == between.keys() == final.keys()
    assert all(torch.equal(base[key], between[key]) for key in base)
    assert all(not torch.equal(base[key], final[key]) for key in base)
    prompts = [load_file(place / "soft_prompt.safetensors")["soft_prompt"] for place in places[1:]]
    assert prompts[0].shape == (1, 4, 32)
    assert torch.equal(*prompts)
    assert load_prompt(folder / "model").tasks == ("seen",)


def test_promot_on_many_tasks_gives_each_a_prompt_that_it_is_later_read_behind(root, tmp_path):
    """General rows stand behind none; the second stage picks its task's prompt from the first stage's."""
    general = {"general": str(root / "general"), "mix": {"general": 0.3}}
    stages = [
        ("prompt", ["watched", "seen"], {"preset": "soft_prompt", "soft_prompt_tokens": 4}),
        ("tune", ["seen"], {"soft_prompt_from": "prompt"}),
    ]
    made = recipe(root / "suite", rows=4).model_dump()
    made["evaluation"]["tasks"] = ["held_out"]
    made["stages"] = [
        {**made["stages"][0], "name": name, "tuning": tuning}
        | {"data": {**made["stages"][0]["data"], **general, "tasks": tasks}}
        for name, tasks, tuning in stages
    ]
    folder = tmp_path / "run"
    Run(make_recipe(made), folder).train()
    first, last = load_prompt(folder / "stages" / "prompt"), load_prompt(folder / "model")
    assert (first.tasks, first.values.shape) == (("watched", "seen"), (2, 4, 32))
    assert last.tasks == ("seen",)
    assert torch.equal(last.values, first.values[1:])
    drawn = new_prompt(load_model(str(folder / "base")).model, 4, derive(0, "adapter", "prompt"), 2)
    assert (drawn != first.values).any(-1).all()

    made["stages"][1]["data"]["tasks"] = ["seen", "held"]
    with pytest.raises(
        RecipeError, match=r'stage tune: .*"prompt" has no prompt for task "held".*data\.tasks'
    ) as raised:
        Run(make_recipe(made), tmp_path / "other").train()
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "other" / "stages").exists()


def test_a_target_is_read_behind_the_prompt_of_its_name_and_a_task_without_one_is_named(root, tmp_path):
    """Against a folder with that prompt alone, written as before prompts had names."""
    prompts = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))
    (tmp_path / "both").mkdir()
    save_prompt(prompts, tmp_path / "both", ["watched", "seen"])
    tasks = open_suite(root / "suite").load(["watched", "seen", "held"])
    model, tokenizer = tiny.model("llama"), tiny.tokenizer()
    reader, found = prompted_reader(model, tokenizer, tmp_path / "both"), []
    for task, prompt in zip(tasks, prompts, strict=False):
        alone = tmp_path / task.name
        alone.mkdir()
        save_file({"soft_prompt": prompt}, alone / FILE)
        queries = [example.input for example in task.test[:3]]
        one, other = (
            [answer.logprob for answer in r.prime(task, task.train[:2]).answer(queries)]
            for r in (reader, prompted_reader(tiny.model("llama"), tokenizer, alone))
        )
        assert one == pytest.approx(other, abs=1e-5)
        found += one
        bare = Reader(tiny.model("llama"), tokenizer).prime(task, task.train[:2]).answer(queries)
        assert all(abs(a - b.logprob) > 1e-4 for a, b in zip(one, bare, strict=True))
    assert len(set(found)) == len(found)
    with pytest.raises(ModelError, match=r'no soft prompt for task "held".*only for the 2 tasks'):
        reader.prime(tasks[2])


def test_a_prompt_from_a_stage_that_is_not_there_is_refused_before_anything_is_done(root):
    with pytest.raises(RecipeError, match=r'soft_prompt_from "prompt" is neither a stage before it nor a folder'):
        recipe(root / "suite", tuning={"soft_prompt_from": "prompt"})


@pytest.mark.parametrize(("held", "n_left_out"), [([], 0), (["held_out"], 3)])
def test_rows_shared_with_tasks_that_are_judged_later_are_left_out_where_the_recipe_names_them(
    held, n_left_out, tmp_path, monkeypatch
):
    later = tiny.word_task("later", n_train=30, n_test=6, seed=7)
    leaking = tiny.word_task("leaking", n_train=30, n_test=6, seed=1)
    leaking = replace(leaking, train=[*leaking.train, *later.test[:3]])
    for task in (leaking, tiny.copy_task("watched"), later):
        save_task(task, tmp_path / "suite" / task.name)
    splits = {"train": ["leaking"], "dev": ["watched"], "held_out": ["later"]}
    write_json(tmp_path / "suite" / "suite.json", splits)
    trained = []

    def stop(stage, tasks, *rest):
        trained.extend(tasks)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "build_dataset", stop)
    suite = SuiteOptions(path=str(tmp_path / "suite"), leaks="drop", held=held)
    asked = recipe(tmp_path / "suite", evaluation={"tasks": ["dev"], "shots": [0]}).model_copy(update={"suite": suite})
    with pytest.raises(KeyboardInterrupt):
        Run(asked, tmp_path / "run").train()
    assert len(trained[0].train) == 33 - n_left_out
    assert len([e for e in trained[0].train if e in later.test]) == 3 - n_left_out
