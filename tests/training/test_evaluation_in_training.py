"""The Trainer's own evaluation: an eval_dataset is scored by the objective, and the best checkpoint can be found again."""

from pathlib import Path

import pytest

from manyshot.objectives import ObjectiveOptions
from manyshot.training import ManyShotTrainer, newest_complete
from tests import tiny
from tests.training.small import EXACT, batch_loss, rows, trainer


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_the_evaluation_loss_is_the_objective_on_the_evaluation_rows(architecture, tmp_path):
    model, data = tiny.model(architecture), rows(4, seed=5)
    made = trainer(model, tmp_path, more={"eval_dataset": data}, **EXACT, per_device_eval_batch_size=4)
    expected = batch_loss(model, [data[n] for n in range(4)], ObjectiveOptions(), tmp_path).item()
    assert made.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_best_checkpoint_is_known_by_its_final_name_and_survives_rotation(tmp_path):
    class Rising(ManyShotTrainer):
        """Its evaluation loss is the number of the step, so step 1 is the best of all."""

        def evaluate(self, *args, **kwargs):
            metrics = {"eval_loss": float(self.state.global_step)}
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

    settings = {**EXACT, "save_strategy": "steps", "save_steps": 1, "eval_strategy": "steps", "eval_steps": 1}
    made = trainer(
        tiny.model("llama"),
        tmp_path,
        kind=Rising,
        more={"eval_dataset": rows(4, seed=5)},
        **settings,
        max_steps=5,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
    )
    made.train()
    assert Path(str(made.state.best_model_checkpoint)) == tmp_path / "checkpoint-1"
    assert (tmp_path / "checkpoint-1" / "complete.json").is_file()
    assert newest_complete(tmp_path)[0] == tmp_path / "checkpoint-5"
