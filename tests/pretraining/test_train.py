import json

import pytest

from manyshot.pretraining.curriculum import PretrainingRecipe
from manyshot.pretraining.train import pretrain


def recipe_of(steps: int) -> PretrainingRecipe:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    args = {"max_steps": steps, "per_device_train_batch_size": 2, "save_steps": 2, "logging_steps": 1}
    stage = {"name": "a", "mix": {"plain": 1}, "budget_tokens": 32, "training": {"args": args}}
    model = {"vocabulary": 600, "config": {**sizes, "num_key_value_heads": 2, "head_dim": 16}}
    return PretrainingRecipe.model_validate({"model": model, "tokenizer_documents": 200, "stages": [stage]})


def test_a_stage_that_was_stopped_counts_the_seconds_before_too(tmp_path):
    def stop(line: str) -> None:
        if "step 3/4" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe_of(4), tmp_path, stop)
    place = tmp_path / "timings.jsonl"
    before = [json.loads(line) for line in place.read_text().splitlines()]
    # as if those two steps had taken an hour
    place.write_text(
        "".join(json.dumps({**r, "elapsed_seconds": 3600.0}) + "\n" for r in before if "elapsed_seconds" in r)
    )
    assert pretrain(recipe_of(4), tmp_path, lambda line: None) == tmp_path / "stages" / "a"
    rows = [json.loads(line) for line in place.read_text().splitlines()]
    assert next(row["seconds"] for row in rows if "seconds" in row) > 3600
