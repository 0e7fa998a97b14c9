"""The measurements for a lent GPU, tried out on this CPU at sizes that take seconds."""

import json
import time
from pathlib import Path

import pytest
import torch
from benchmarks.gpu import pack, real, training
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.base import make_base, models_made
from benchmarks.gpu.bundled import longer
from benchmarks.gpu.carried import unpacked
from benchmarks.gpu.cutting import cut_suite
from benchmarks.gpu.flops import training_flops
from benchmarks.gpu.limit import Clock, OutOfTime, stopped_after
from benchmarks.gpu.state import restore_state, save_state
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, Qwen3Config

from manyshot.errors import LeakError, ManyshotError
from manyshot.models.loading import count_parameters, make_config
from manyshot.pretraining.curriculum import load_pretraining
from manyshot.studies import LadderPreset, load_preset
from manyshot.tasks import find_leaks, load_task, open_suite
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
GPU = ROOT / "benchmarks" / "gpu"


def result(out: Path, name: str) -> dict:
    found = json.loads((out / f"{name}.json").read_text())
    assert {"command", "card", "versions", "hardware", "seconds"} <= set(found)
    return found


# ---- the pieces


def test_the_flop_formula_counts_what_torch_counts_with_attention_halved_for_being_causal():
    config = Qwen3Config(**training.SMALL, tie_word_embeddings=True)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    keep = torch.zeros(2, 24, dtype=torch.bool)
    keep[:, [3, 7, 20]] = True
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 24, dtype=torch.long), logits_to_keep=keep, use_cache=False).logits.sum().backward()
    parts = training_flops(config, 24, 2, 6)
    counted = counter.get_total_flops()
    assert parts["layers"] + 2 * parts["attention"] + parts["head"] == pytest.approx(counted, rel=1e-3)


def test_work_is_stopped_when_the_clock_has_run_out_and_only_then():
    with stopped_after(Clock(0.05)):
        pass
    # an alarm left behind would go off here
    time.sleep(0.05)
    began = time.monotonic()

    def work_for_ten_seconds() -> None:
        with stopped_after(Clock(0.2 / 60)):
            while time.monotonic() - began < 10:
                pass

    with pytest.raises(OutOfTime):
        work_for_ten_seconds()
    assert time.monotonic() - began < 5


def test_a_state_brings_back_every_file_and_the_named_weights_as_bfloat16(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    model = tiny.model("qwen3")
    for name in ("stages/old", "stages/new", "runs/one/model"):
        model.save_pretrained(folder / name)
    (folder / "log.txt").write_text("a line")
    (folder / "checkpoints" / "x").mkdir(parents=True)
    (folder / "checkpoints" / "x" / "optimizer.pt").write_bytes(b"0" * 10)
    monkeypatch.setattr("benchmarks.gpu.state.PART_BYTES", 5_000)
    monkeypatch.setattr("benchmarks.gpu.state.MOST_PARTS", 50)
    parts = save_state(folder, tmp_path / "out", "real", [folder / "stages" / "old", folder / "stages" / "new"])
    assert len(parts) > 10
    assert all(part.stat().st_size <= 5_000 for part in parts)

    there = tmp_path / "there"
    assert restore_state(tmp_path / "out", "real", there)
    files = {str(p.relative_to(there)) for p in there.rglob("*") if p.is_file()}
    wanted = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    # a model that did not travel must not look as if it were there
    wanted = {name for name in wanted if not name.startswith("runs/one/model/")}
    assert files == wanted - {"checkpoints/x/optimizer.pt", "stages/old/model.safetensors"}
    before = load_file(folder / "stages" / "new" / "model.safetensors")
    after = load_file(there / "stages" / "new" / "model.safetensors")
    assert set(before) == set(after)
    assert all(torch.equal(after[key], before[key].bfloat16()) for key in before)
    # what is there is never written over, and a gap is named
    assert not restore_state(tmp_path / "out", "real", there)
    parts[3].unlink()
    with pytest.raises(ManyshotError, match="parts of real_state are missing"):
        restore_state(tmp_path / "out", "real", tmp_path / "gap")
    for part in parts[3:]:
        part.unlink(missing_ok=True)
    with pytest.raises(ManyshotError, match="cannot be unpacked"):
        restore_state(tmp_path / "out", "real", tmp_path / "gap")
    assert not (tmp_path / "gap").exists()


# ---- the settings


def test_the_base_is_small_enough_to_travel_and_reads_prose_behind_its_first_stages():
    recipe = load_pretraining(GPU / "base_gpu.yaml")
    options = recipe.model
    config = make_config(options.architecture, options.config, vocab_size=options.vocabulary, tie_word_embeddings=True)
    with torch.device("meta"):
        n = count_parameters(AutoModelForCausalLM.from_config(config))
    # as bfloat16, beside tasks and wheels within what may travel
    assert n < 16e6
    assert [stage.name for stage in recipe.stages if stage.text > 0] == ["words", "lines", "long"]


@pytest.mark.parametrize("name", ["real", str(GPU / "real_gpu.yaml")])
def test_the_ladders_on_real_tasks_name_tasks_that_there_are_and_judge_none_that_steers(name, shared):
    preset, suite = load_preset(name, LadderPreset), open_suite(shared / "data")
    train, dev, held_out = (set(suite.select(names)) for names in (preset.train, preset.dev, preset.held_out))
    assert not train & dev
    assert not train & held_out
    assert not dev & held_out
    assert dev <= set(suite.splits["dev"])


def test_the_bundled_models_stages_are_scaled_and_otherwise_the_recipes():
    recipe = load_pretraining(ROOT / "recipes" / "tiny.yaml")
    scaled = longer(recipe, 4)
    for before, after in zip(recipe.stages, scaled.stages, strict=True):
        assert after.training.args["max_steps"] == 4 * before.training.args["max_steps"]
        assert after.training.args["learning_rate"] == before.training.args["learning_rate"]
    assert longer(recipe, 1).hash == recipe.hash


# ---- what travels


def test_a_packed_suite_comes_out_as_it_went_in_and_too_much_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["pack", "--smoke", "--work", "work"]) == 0
    first = (tmp_path / "carry" / "suite.tar.xz").read_bytes()
    (tmp_path / "carry" / "suite.tar.xz").unlink()
    assert main(["pack", "--smoke", "--work", "work"]) == 0
    assert (tmp_path / "carry" / "suite.tar.xz").read_bytes() == first
    assert "python3 -m benchmarks.gpu real" in capsys.readouterr().out

    place = unpacked("suite.tar.xz", tmp_path / "there")
    before, after = open_suite(tmp_path / "work" / "cut"), open_suite(place)
    assert before.paths == after.paths
    for path in before.paths[:3]:
        assert load_task(before.root / path).content_hash() == load_task(after.root / path).content_hash()

    monkeypatch.setattr(pack, "FILE_BYTES", 100)
    assert main(["pack", "--smoke", "--work", "work"]) == 2
    assert "suite.tar.xz: " in capsys.readouterr().err


def test_the_cut_real_suite_has_no_row_that_shares_texts_with_a_judged_task(tmp_path, shared):
    # a training task of each judged one's texts: 311 and 14 rows of the whole pools
    train = ["classification/clinc150", "multitask/instruction_induction/ii_orthography_starts_with"]
    judged = ["classification/cola", "classification/banking77"]
    cut_suite(shared / "data", tmp_path / "cut", lambda line: None, train=train, judged=judged, train_rows=900)
    before, after = open_suite(shared / "data"), open_suite(tmp_path / "cut")
    assert find_leaks(before.load(train), before.load(judged))
    assert not find_leaks(after.load(train), after.load(judged), after.text_groups())
    for path in train:
        assert 0 < len(after.load([path])[0].train) <= 900
    for path in judged:
        assert after.load([path])[0].content_hash() == before.load([path])[0].content_hash()
    same = ["classification/trec"]
    with pytest.raises(LeakError):
        cut_suite(shared / "data", tmp_path / "no", print, train=same, judged=["classification/trec_fine"])


# ---- the subcommands


def test_both_trainers_start_at_the_same_loss_and_report_speed_and_memory(tmp_path, monkeypatch):
    pytest.importorskip("trl", reason="TRL is installed by `make bench` only")
    monkeypatch.setattr(training, "in_process", lambda v, n, arguments, clock: training.time_variant(v, n, arguments))
    assert main(["training_speed", "--smoke", "--out", str(tmp_path)]) == 0
    row = result(tmp_path, "training_speed")["by_tokens_per_row"]["128"]
    assert row["first_loss_spread"] < 1e-3
    ours = row["variants"]["ours"]
    assert ours["tokens_per_second"] * ours["seconds_per_step"] == pytest.approx(256)
    assert ours["peak_bytes"] > 1e6


def test_a_side_that_fails_or_is_not_begun_is_in_the_result(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "in_process", lambda v, n, arguments, clock: {"failed": f"{v} is out of memory"})
    assert main(["training_speed", "--smoke", "--out", str(tmp_path)]) == 0
    row = result(tmp_path, "training_speed")["by_tokens_per_row"]["128"]
    assert row == {"variants": {v: {"failed": f"{v} is out of memory"} for v in ("ours", "trl")}}
    monkeypatch.setattr(training.Clock, "seconds_left", -1.0)
    assert main(["training_speed", "--smoke", "--out", str(tmp_path)]) == 0
    assert len(result(tmp_path, "training_speed")["skipped_for_time"]) == 2


@pytest.mark.slow
def test_inference_speed_runs_with_the_harness_beside_it(tmp_path, monkeypatch):
    pytest.importorskip("lm_eval", reason="lm-eval is installed by `make bench` only")
    monkeypatch.chdir(ROOT)
    assert main(["inference_speed", "--smoke", "--out", str(tmp_path), "--work", str(tmp_path)]) == 0
    row = result(tmp_path, "inference_speed")["by_shots"]["8"]
    assert row["token_ids_equal"]
    assert row["max_abs_logprob_diff"] < 1e-3


def test_the_real_ladder_runs_to_its_tables_and_a_second_call_trains_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call = ["real", "--smoke", "--work", "work", "--out", "out"]
    assert main(call) == 0
    first = result(tmp_path / "out", "real")
    assert first["finished"]
    assert set(first["ladder"]["methods"]) == {"base", "manyicl"}
    assert {row["stage"] for row in first["pretraining_timings"]} == {"few", "long"}
    assert main(call) == 0
    second = result(tmp_path / "out", "real")
    assert second["ladder"] == first["ladder"]
    assert not [line for line in second["said"] if "training" in line or "tokens in" in line]


def test_a_base_stopped_between_stages_goes_on_from_its_state_on_a_bare_machine(tmp_path):
    suite, prose = real.smoke_data(tmp_path)
    places = {"corpus": str(prose), "suite": str(suite)}
    recipe = real.smaller(load_pretraining(GPU / "base_gpu.yaml")).model_copy(update=places)
    here, there = tmp_path / "here", tmp_path / "there"

    def stop_after_the_first_stage(line: str) -> None:
        if "stage few: known answers right" in line:
            raise OutOfTime

    with pytest.raises(OutOfTime):
        make_base(recipe, here, stop_after_the_first_stage)
    save_state(here, tmp_path / "out", "real", models_made(here / "pretraining", recipe))
    assert restore_state(tmp_path / "out", "real", there)
    said: list[str] = []
    weights = load_file(make_base(recipe, there, said.append) / "model.safetensors")
    assert not [line for line in said if "stage few" in line]
    assert [line for line in said if line.startswith("stage long") and "tokens in" in line]
    assert all(t.dtype == torch.float32 and torch.equal(t, t.bfloat16().float()) for t in weights.values())

    # once its stages are done it needs no prose, and is the same numbers elsewhere
    prose.unlink()
    save_state(there, tmp_path / "out", "real", models_made(there / "pretraining", recipe))
    assert restore_state(tmp_path / "out", "real", tmp_path / "third")
    assert not (tmp_path / "third" / "base").exists()
    again = load_file(make_base(recipe, tmp_path / "third", said.append) / "model.safetensors")
    assert all(torch.equal(again[key], weights[key]) for key in weights)


def test_the_bundled_curriculum_runs_and_its_weights_come_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = str(ROOT / "recipes" / "tiny.yaml")
    assert main(["bundled", "--smoke", "--work", "work", "--out", "out", "--recipe", recipe]) == 0
    found = result(tmp_path / "out", "bundled")
    assert found["finished"]
    assert found["recall"]
    assert restore_state(tmp_path / "out", "bundled", tmp_path / "back")
    assert list((tmp_path / "back" / "stages").glob("*/model.safetensors"))
