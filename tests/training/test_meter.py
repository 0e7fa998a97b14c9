"""What the meter says against what the rows hold."""

from collections import defaultdict

import pytest
import torch
from torch.nn import functional as F
from transformers import TrainingArguments

from manyshot.objectives import ObjectiveOptions
from manyshot.training import ManyShotTrainer
from manyshot.training.meter import Meter
from tests import tiny
from tests.training.small import EXACT, rows, trainer


def logs_of(made):
    return [line for line in made.state.log_history if "loss" in line]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_tokens_and_answers_are_those_of_the_rows(accumulation, tmp_path):
    data = rows(24)
    made = trainer(
        tiny.model("llama"),
        tmp_path,
        data=data,
        **EXACT,
        max_steps=3,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=accumulation,
    )
    made.train()
    consumed = [data[i] for i in range(3 * 2 * accumulation)]
    assert made.meter.n_tokens == sum(len(row["input_ids"]) for row in consumed)
    assert made.meter.n_answers == sum(len(row["bounds"]) for row in consumed)


def test_only_supervised_answers_are_counted(tmp_path):
    objective = ObjectiveOptions(scope="last_answer")
    made = trainer(tiny.model("llama"), tmp_path, objective=objective, **EXACT, max_steps=2)
    made.train()
    assert made.meter.n_answers == 2 * 4


def test_loss_by_shots_is_the_mean_over_the_tokens_of_each_bucket(tmp_path):
    model, data = tiny.model("llama"), rows(8, budget_tokens=200, length="full")
    expected = defaultdict(list)
    for n in range(4):
        row = data[n]
        ids = torch.from_numpy(row["input_ids"])
        with torch.no_grad():
            nll = F.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
        for shots, (_, start, end) in enumerate(row["bounds"]):
            bucket = next(
                name
                for name, (low, high) in {
                    "0": (0, 0),
                    "1": (1, 1),
                    "2-3": (2, 3),
                    "4-7": (4, 7),
                    "8-15": (8, 15),
                    "16-31": (16, 31),
                }.items()
                if low <= shots <= high
            )
            expected[f"loss_shots_{bucket}"] += nll[start - 1 : end - 1].tolist()
    made = trainer(model, tmp_path, data=data, **EXACT, max_steps=1, per_device_train_batch_size=4)
    made.train()
    logged = {key: value for key, value in logs_of(made)[0].items() if key.startswith("loss_shots_")}
    assert logged.keys() == expected.keys()
    assert len(logged) >= 4
    for key, values in expected.items():
        assert logged[key] == pytest.approx(sum(values) / len(values), abs=1e-5)


def test_plain_text_has_no_place_in_the_loss_by_shots():
    meter = Meter()
    meter.add_losses(torch.tensor([1.0, 9.0, 3.0]), torch.tensor([0, -1, 2]))
    read = meter.read()
    assert (read["loss_shots_0"], read["loss_shots_2-3"]) == (1.0, 3.0)
    assert len([key for key in read if key.startswith("loss_shots_")]) == 2


def test_a_reading_starts_a_new_window_and_keeps_the_totals():
    meter = Meter()
    meter.count(100, 10)
    meter.add_losses(torch.tensor([2.0]), torch.tensor([0]))
    meter.read()
    meter.count(50, 5)
    read = meter.read()
    assert (read["tokens"], read["answers"]) == (150, 15)
    assert "loss_shots_0" not in read


def test_counts_are_restored_on_resumption(tmp_path):
    settings = {**EXACT, "save_strategy": "steps", "save_steps": 2, "max_steps": 4, "save_total_limit": 5}
    whole = trainer(tiny.model("llama"), tmp_path, **settings)
    whole.train()
    resumed = trainer(tiny.model("llama"), tmp_path, **settings)
    resumed.train(resume_from_checkpoint=tmp_path / "checkpoint-2")
    assert resumed.meter.state() == whole.meter.state()


def test_counts_are_restored_when_the_trainer_finds_the_checkpoint_itself(tmp_path):
    """`resume_from_checkpoint=True` is transformers' own way to say: the last one."""
    settings = {**EXACT, "save_strategy": "steps", "save_steps": 2}
    trainer(tiny.model("llama"), tmp_path, **settings, max_steps=2).train()
    resumed = trainer(tiny.model("llama"), tmp_path, **settings, max_steps=4)
    resumed.train(resume_from_checkpoint=True)
    whole = trainer(tiny.model("llama"), tmp_path / "whole", **settings, max_steps=4)
    whole.train()
    assert resumed.meter.state() == whole.meter.state()


def test_evaluation_is_not_counted_as_training(tmp_path):
    made = trainer(
        tiny.model("llama"),
        tmp_path,
        more={"eval_dataset": rows(4, seed=5)},
        **EXACT,
        max_steps=2,
        eval_strategy="steps",
        eval_steps=1,
    )
    made.train()
    assert made.meter.n_tokens == sum(len(rows()[n]["input_ids"]) for n in range(8))


def test_a_loss_that_is_not_a_number_is_logged_as_such(tmp_path):
    """Whatever the arguments say: transformers' default hides it behind the running average."""
    model = tiny.model("llama")
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=1,
        logging_steps=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
    )
    made = ManyShotTrainer(model=model, args=arguments, train_dataset=rows())
    made.train()
    loss = logs_of(made)[0]["loss"]
    assert loss != loss
