"""Many-shot tuning and evaluation from Python, on generated tasks and a model made on the spot. Runs anywhere in a minute."""

import tempfile

import manyshot as ms
from manyshot.models import ScratchOptions, make_model
from manyshot.tasks.builtin import write_suite


def main(max_steps: int = 30) -> dict:
    """Train on the suite's training tasks and score the held-out ones; return the summary."""
    folder = tempfile.mkdtemp()
    suite = ms.open_suite(write_suite(f"{folder}/tasks", n_train=40, n_test=20))
    train, held_out = suite.load(suite.select(["train"])), suite.load(suite.select(["held_out_quick"]))
    texts = [f"Input: {e.input}\nOutput: {e.output}\n" for task in train for e in task.train]
    made = make_model(
        ScratchOptions(vocabulary=500, config={"hidden_size": 64, "intermediate_size": 128}), texts, seed=0
    )

    rows = ms.EpisodeDataset(train, made.tokenizer, ms.EpisodeOptions(budget_tokens=256))
    options = ms.TrainingOptions(args={"max_steps": max_steps, "learning_rate": 3e-3, "save_strategy": "no"})
    arguments = ms.make_arguments(options, f"{folder}/checkpoints", seed=0)
    objective = ms.ObjectiveOptions(scope="all_answers", averaging="answer")
    ms.ManyShotTrainer(model=made.model, args=arguments, train_dataset=rows, objective=objective).train()
    return ms.evaluate(made.model, made.tokenizer, held_out, shots=[0, 4, 16], draws=1, limit=10)


if __name__ == "__main__":
    print(main()["methods"]["model"]["held_out"])
