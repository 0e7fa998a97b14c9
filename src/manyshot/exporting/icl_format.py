"""A data set with demonstrations in every prompt: prompt and completion columns, which TRL's SFTTrainer trains on as they are.

Fine-tuning on one task without demonstrations costs in-context learning; a share of such rows keeps it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyshot.errors import TaskError
from manyshot.seeds import generator
from manyshot.tasks import Columns, Example, Template, default_template
from manyshot.tasks.making import sort_rows
from manyshot.tasks.tables import as_table, import_extra


def to_icl_format(
    dataset: Any,
    num_shots: int = 3,
    *,
    input_column: str = "input",
    output_column: str = "output",
    messages_column: str | None = None,
    instruction: str = "",
    template: Template | None = None,
    seed: int = 0,
) -> Any:
    """Return a `datasets.Dataset` of `prompt` and `completion` texts: each row behind `num_shots` other ones.

    Demonstrations are drawn anew for each row, never of the row's own input, and fewer only where the data set has no more.
    ClassLabel integers become their names. The completion ends with the template's stop text, one newline unless outputs have
    several lines. Row i depends on the data set, the seed and i alone.

    Raises TaskError, with the row, for a field that is missing or empty, and for a chat template: prompts are plain text.
    """
    datasets = import_extra("datasets", "to_icl_format")
    if num_shots < 0:
        raise TaskError(f"num_shots is {num_shots}; give 0 or more")
    if isinstance(dataset, Mapping):
        raise TaskError(f'a data set of splits ({", ".join(dataset)}) was given; give one of them, as dataset["train"]')
    columns = Columns(input_column, output_column, messages_column)
    examples, faults = sort_rows(as_table(dataset, "dataset"), columns)
    if faults:
        raise faults[0]
    chosen = template or default_template([e.output for e in examples])
    if chosen.chat is not None:
        raise TaskError("to_icl_format writes plain text; give a template without chat")
    for i, example in enumerate(examples, start=1):
        if chosen.refuses(example.output):
            raise TaskError(f"dataset:{i}: the stop text {chosen.stop!r} stands inside the answer; choose another")
    number: dict[str, int] = {}
    same_input = np.array([number.setdefault(e.input, len(number)) for e in examples], np.int64)
    header, shown = chosen.render_header(instruction), [_shown(chosen, example) for example in examples]
    prompts, completions = [], []
    for i, example in enumerate(examples):
        others = _draw_others(same_input, i, num_shots, generator(seed, "icl", i))
        prompts.append(header + "".join(shown[j] for j in others) + chosen.render_prompt(example.input))
        completions.append(chosen.render_answer(example.output) + chosen.stop)
    return datasets.Dataset.from_dict({"prompt": prompts, "completion": completions})


def _shown(template: Template, example: Example) -> str:
    return template.render_prompt(example.input) + template.render_answer(example.output) + template.stop


def _draw_others(same_input: np.ndarray, own: int, n: int, rng: np.random.Generator) -> list[int]:
    """Return n distinct rows whose input is another one; all of them where there are no more."""
    found: dict[int, None] = {}
    # a few draws are cheap however large the data set; only where they run dry are all rows looked at
    for candidate in rng.integers(0, len(same_input), size=4 * n + 16).tolist():
        if len(found) < n and same_input[candidate] != same_input[own]:
            found[candidate] = None
    if len(found) < n:
        rest = np.flatnonzero(same_input != same_input[own])
        found.update(dict.fromkeys(rng.permutation(rest).tolist()))
    return list(found)[:n]
