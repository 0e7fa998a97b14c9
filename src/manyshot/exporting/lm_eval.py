"""Write a task folder as a task of lm-evaluation-harness, so that others can check our numbers with their tool.

The harness joins prompt and answer with its own rules; the pieces written here keep our template to the letter: the prompt as
`doc_to_text`, answers with their leading space as choices, a demonstration separator equal to the stop text. The harness scores
labels without the stop text: evaluate here with `score_stop: false` to compare.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from manyshot.errors import TaskError
from manyshot.files import json_line, write_text
from manyshot.tasks import Example, Task

_GENERATED = {"exact_match": "exact_match", "numeric": "exact_match", "f1": "exact_match", "rouge_l": "exact_match"}


def export_lm_eval(task: Task, demonstrations: Sequence[Example], folder: str | Path) -> Path:
    """Write NAME.yaml with its data files and return the yaml's path.

    `demonstrations` become the harness's fixed few-shot examples, in this order (run it with `--num_fewshot` equal to their
    number). Raises TaskError for a task without queries.
    """
    if not task.test:
        raise TaskError(f'task "{task.name}" has no test examples; the harness needs them')
    if task.template.chat is not None:
        raise TaskError(
            f'task "{task.name}" is shown as a conversation; the harness is given plain text, leave out chat'
        )
    folder = Path(folder)
    name = f"manyshot_{task.name}"
    for split, examples in (("test", task.test), ("fewshot", demonstrations or task.train[:1])):
        rows = [_row(task, example) for example in examples]
        write_text(folder / f"{name}.{split}.jsonl", "".join(map(json_line, rows)))
    template = task.template
    config: dict[str, Any] = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {
                "test": str((folder / f"{name}.test.jsonl").resolve()),
                "train": str((folder / f"{name}.fewshot.jsonl").resolve()),
            }
        },
        "test_split": "test",
        "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"},
        "description": template.render_header(task.instruction),
        "doc_to_text": "{{prompt}}",
        "target_delimiter": "",
        "fewshot_delimiter": template.stop,
        "metadata": {"source": task.source, "licence": task.licence, "exported_by": "manyshot"},
    }
    if task.labels is not None:
        config |= {
            "output_type": "multiple_choice",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{target}}",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        }
    else:
        config |= {
            "output_type": "generate_until",
            "doc_to_target": "{{answer}}",
            "generation_kwargs": {"until": [template.stop], "do_sample": False},
            "metric_list": [{"metric": _GENERATED.get(task.metric, "exact_match"), "higher_is_better": True}],
        }
    place = folder / f"{name}.yaml"
    write_text(place, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return place


def _row(task: Task, example: Example) -> dict[str, Any]:
    template = task.template
    row: dict[str, Any] = {
        "prompt": template.render_prompt(example.input),
        "answer": template.render_answer(example.output),
    }
    if task.labels is not None:
        row["choices"] = [template.render_answer(label) for label in task.labels]
        row["target"] = task.labels.index(example.output)
    return row
