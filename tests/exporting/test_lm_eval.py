"""An exported task must ask the harness for the very prompts that we score."""

import json
from pathlib import Path

import pytest
import yaml

from manyshot.episodes import draw_demonstrations
from manyshot.evaluation import Benchmark, EvaluationOptions
from manyshot.exporting import export_lm_eval
from manyshot.inference import Reader
from manyshot.records import CellLog
from tests import tiny


def test_rows_hold_the_prompt_and_every_label_as_we_render_them(tmp_path):
    task = tiny.word_task()
    config = yaml.safe_load(export_lm_eval(task, task.train[:2], tmp_path).read_text())
    assert config["description"] == task.template.render_header(task.instruction)
    place = Path(config["dataset_kwargs"]["data_files"]["test"])
    rows = [json.loads(line) for line in place.read_text().splitlines()]
    assert [row["prompt"] for row in rows] == [task.template.render_prompt(e.input) for e in task.test]
    assert [row["choices"][row["target"]] for row in rows] == [task.template.render_answer(e.output) for e in task.test]


@pytest.mark.slow
@pytest.mark.parametrize("shots", [0, 3])
def test_the_harness_scores_what_we_score(tmp_path, shots, monkeypatch):
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    task = tiny.word_task(n_test=20)
    shown = [task.train[i] for i in draw_demonstrations(task, shots, 0, 0)]
    export_lm_eval(task, shown, tmp_path / "task")
    model = tiny.model("qwen3")
    log = CellLog(tmp_path / "ours")
    options = EvaluationOptions(tasks=["*"], shots=[shots], draws=1, limit=None, score_stop=False)
    Benchmark([task], options, log).run("m", Reader(model, tiny.tokenizer()))
    found = lm_eval.simple_evaluate(
        model=HFLM(pretrained=model, tokenizer=tiny.tokenizer(), batch_size=1, max_length=1024),
        tasks=["manyshot_words"],
        num_fewshot=shots,
        task_manager=TaskManager(include_path=str(tmp_path / "task"), include_defaults=False),
        bootstrap_iters=0,
    )
    assert found["results"]["manyshot_words"]["acc,none"] == pytest.approx(log.scores[0].score)
    prompt = found["samples"]["manyshot_words"][0]["arguments"][0][0]
    expected = task.template.render_header(task.instruction)
    for e in shown:
        expected += task.template.render_prompt(e.input) + task.template.render_answer(e.output) + task.template.stop
    assert prompt == expected + task.template.render_prompt(task.test[0].input)
