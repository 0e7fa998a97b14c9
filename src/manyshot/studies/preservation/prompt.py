"""A reader whose model reads every sequence behind its soft prompt: how ProMoT's target is judged (arXiv 2211.00635).

    training     [ prompt | header | x_1 y_1 ... ]     embeddings put before the embedded row (models/soft_prompt.py)
    here         [ p_1 .. p_n | header | x_1 y_1 ... ] the same embeddings under token ids of their own, V .. V + n - 1

The head has no such ids, so they can be read and never be said; prefixes are cached and branched as ever.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyshot.inference import Reader
from manyshot.models.soft_prompt import FILE, load_prompt


class _WithPrompt(torch.nn.Module):
    """An embedding whose ids from V on are the prompt's."""

    prompt: torch.Tensor

    def __init__(self, table: Any, prompt: torch.Tensor) -> None:
        super().__init__()
        self.table = table
        self.register_buffer("prompt", prompt.to(table.weight), persistent=False)

    @property
    def weight(self) -> torch.Tensor:
        """The model's own table."""
        return self.table.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        n = self.table.weight.shape[0]
        # what is stored was looked up through the table, so it is not scaled again
        own, prompt = self.table(ids.clamp(max=n - 1)), self.prompt[(ids - n).clamp(min=0)]
        return torch.where((ids < n).unsqueeze(-1), own, prompt)


def has_prompt(folder: str | Path) -> bool:
    """Tell whether a model was tuned behind a soft prompt that stands beside it."""
    return (Path(folder) / FILE).is_file()


def prompted_reader(model: Any, tokenizer: Any, folder: str | Path) -> Reader:
    """Return a reader that puts the folder's soft prompt before every sequence; the model keeps it from then on."""
    table = model.get_input_embeddings()
    prompt = load_prompt(folder)
    model.set_input_embeddings(_WithPrompt(table, prompt))
    reader = Reader(model, tokenizer)
    ids = table.weight.shape[0] + np.arange(len(prompt), dtype=np.int32)
    reader.encoder.opening = np.concatenate([ids, reader.encoder.opening])
    return reader
