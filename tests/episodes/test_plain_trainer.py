"""The rows train as they are under somebody else's trainer."""

import math

import pytest
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

from manyshot.episodes import EpisodeDataset, EpisodeOptions
from tests import tiny


@pytest.fixture
def trainer(tmp_path):
    rows = EpisodeDataset(
        [tiny.word_task(), tiny.copy_task()],
        tiny.tokenizer(),
        EpisodeOptions(budget_tokens=120, length="uniform"),
        n_rows=8,
    )
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=2,
        use_cpu=True,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    collator = DataCollatorForSeq2Seq(tiny.tokenizer())
    return Trainer(tiny.model("llama").train(), arguments, collator, train_dataset=rows)


def test_a_plain_trainer_trains_on_the_rows(trainer):
    result = trainer.train()
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert result.global_step == 2
    assert len(losses) == 2
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)


def test_a_plain_collator_pads_labels_where_nothing_is_trained(trainer):
    rows = [trainer.train_dataset[n] for n in range(4)]
    assert len({len(row["input_ids"]) for row in rows}) > 1
    batch = trainer.data_collator([{key: row[key] for key in ("input_ids", "labels")} for row in rows])
    assert batch["input_ids"].shape == batch["labels"].shape
    assert (batch["labels"] != -100).sum() == sum((row["labels"] != -100).sum() for row in rows)
