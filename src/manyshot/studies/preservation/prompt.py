"""A reader whose model reads every task behind its own soft prompt: how ProMoT's target is judged (arXiv 2211.00635).

    training     [ prompt t | header | x_1 y_1 ... ]    embeddings put before the embedded row (models/soft_prompt.py)
    here         [ p_1 .. p_n | header | x_1 y_1 ... ]  the same embeddings under ids of their own, V + tn .. V + tn + n - 1

The head has no such ids, so they can be read and never be said; prefixes are cached and branched as ever.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyshot.episodes import Encoder
from manyshot.inference import Reader
from manyshot.models.soft_prompt import FILE, SoftPrompts, load_prompt
from manyshot.tasks import Task


class _WithPrompts(torch.nn.Module):
    """An embedding whose ids from V on are the prompts', one task's after another's."""

    prompts: torch.Tensor

    def __init__(self, table: Any, prompts: torch.Tensor) -> None:
        super().__init__()
        self.table = table
        flat = prompts.flatten(0, 1)  # (task x token, hidden)
        self.register_buffer("prompts", flat.to(table.weight), persistent=False)

    @property
    def weight(self) -> torch.Tensor:
        """The model's own table."""
        return self.table.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        n = self.table.weight.shape[0]
        # what is stored was looked up through the table, so it is not scaled again
        own, prompt = self.table(ids.clamp(max=n - 1)), self.prompts[(ids - n).clamp(min=0)]
        return torch.where((ids < n).unsqueeze(-1), own, prompt)


class _BehindPrompts(Encoder):
    """An encoder whose tasks begin with their soft prompts."""

    def __init__(self, tokenizer: Any, prompts: SoftPrompts, folder: str | Path, first_id: int) -> None:
        super().__init__(tokenizer)
        self.soft_prompts, self.place, self.first_id = prompts, Path(folder) / FILE, first_id

    def header(self, task: Task, *, instruction: bool = True) -> np.ndarray:
        """Return the ids of the task's prompt and the tokens that follow it. ModelError where it has no prompt."""
        number, n = self.soft_prompts.index(task.name, self.place), self.soft_prompts.values.shape[1]
        ids = self.first_id + number * n + np.arange(n, dtype=np.int32)
        return np.concatenate([ids, super().header(task, instruction=instruction)])


def has_prompt(folder: str | Path) -> bool:
    """Tell whether a model was tuned behind soft prompts that stand beside it."""
    return (Path(folder) / FILE).is_file()


def prompted_reader(model: Any, tokenizer: Any, folder: str | Path) -> Reader:
    """Return a reader that puts before every sequence the soft prompt that the folder has for the task, by its name.

    The model keeps all of them from then on. Reading a task that has none is a ModelError that names it.
    """
    table, prompts = model.get_input_embeddings(), load_prompt(folder)
    model.set_input_embeddings(_WithPrompts(table, prompts.values))
    reader = Reader(model, tokenizer)
    reader.encoder = _BehindPrompts(tokenizer, prompts, folder, table.weight.shape[0])
    return reader
