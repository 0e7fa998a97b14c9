"""Rows with demonstrations: the right texts, never the answer, and TRL trains on them with nothing of ours."""

import math
import sys

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from manyshot import to_icl_format
from manyshot.errors import TaskError
from manyshot.tasks import Template
from tests import tiny

PAIRS = [(f"{a} {b}", tiny.LABELS[i % 3]) for i, (a, b) in enumerate(zip(tiny.WORDS, tiny.WORDS[1:], strict=False))]


def made(pairs=PAIRS, **options):
    return to_icl_format(
        Dataset.from_dict({"input": [a for a, _ in pairs], "output": [b for _, b in pairs]}), **options
    )


def parsed(prompt):
    """[(input, output)] of the demonstrations of a prompt, and its query."""
    *shots, query = prompt.split("Input: ")[1:]
    return [tuple(shot.rstrip("\n").split("\nOutput: ")) for shot in shots], query.removesuffix("\nOutput:")


def test_a_row_is_its_query_behind_other_rows_with_their_answers():
    rows = made(num_shots=4, instruction="Say where.")
    assert rows.column_names == ["prompt", "completion"]
    assert len(rows) == len(PAIRS)
    for (text, label), row in zip(PAIRS, rows, strict=True):
        shots, query = parsed(row["prompt"])
        assert query == text
        assert row["completion"] == f" {label}\n"
        assert len(set(shots)) == 4
        assert set(shots) <= set(PAIRS) - {(text, label)}
        assert row["prompt"].startswith("Say where.\nInput: ")


def test_a_row_never_shows_its_own_input_also_where_another_row_has_it():
    pairs = [("same", "north"), *PAIRS[:3], ("same", "south")]
    for row in (made(pairs, num_shots=9)[0], made(pairs, num_shots=9)[4]):
        shots, _ = parsed(row["prompt"])
        assert sorted(shots) == sorted(PAIRS[:3])


def test_every_other_row_is_shown_as_often():
    shown = [parsed(row["prompt"])[0][0][0] for row in made([(f"x{i % 11}", "a") for i in range(660)], num_shots=1)]
    # 60 each; four standard deviations are 30
    assert all(abs(shown.count(f"x{i}") - 60) < 31 for i in range(11))


def test_without_shots_a_row_is_the_query_alone():
    assert made(num_shots=0)[0]["prompt"] == f"Input: {PAIRS[0][0]}\nOutput:"


def test_the_seed_alone_decides():
    assert made(seed=1)[:] == made(seed=1)[:] != made(seed=2)[:]


def test_integer_labels_become_names_and_columns_are_named():
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    data = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    rows = to_icl_format(data, 1, input_column="text", output_column="label", template=Template(prompt="{input} ->"))
    assert rows[0] == {"prompt": "b -> no\na ->", "completion": " yes\n"}


def test_conversations_are_taken_by_their_last_answer():
    talks = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in PAIRS]
    rows = to_icl_format(Dataset.from_dict({"messages": talks}), 2, messages_column="messages")
    assert rows[:] == made(num_shots=2)[:]


def test_an_empty_output_is_refused_by_its_row():
    with pytest.raises(TaskError, match='dataset:2: field "output" is empty'):
        made([("a", "x"), ("b", " ")])


def test_a_data_set_of_splits_is_refused_with_what_to_give():
    data = DatasetDict({"train": Dataset.from_dict({"input": ["a"], "output": ["b"]})})
    with pytest.raises(TaskError, match=r'dataset\["train"\]'):
        to_icl_format(data)


@pytest.mark.slow
def test_trl_trains_on_the_rows_alone(tmp_path):
    trl = pytest.importorskip("trl")
    rows = made(num_shots=3)
    tokenizer = tiny.tokenizer()
    arguments = trl.SFTConfig(
        str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=2,
        use_cpu=True,
        bf16=False,
        report_to=[],
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = trl.SFTTrainer(tiny.model("llama").train(), arguments, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    # what TRL trains on is the completion, and its own end of sequence
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        trained = tokenizer.decode(ids[labels != -100].tolist(), skip_special_tokens=True)
        assert trained in {f" {label}\n" for label in tiny.LABELS}
    trainer.train()
    assert all(math.isfinite(line["loss"]) for line in trainer.state.log_history if "loss" in line)


def test_importing_the_package_loads_no_datasets():
    import subprocess

    code = "import sys, manyshot.exporting; assert not {'datasets', 'torch', 'pyarrow'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
