"""Soft prompts before the embedded rows: what ProMoT (arXiv 2211.00635) trains first and freezes then, one for each task.

    stage 1   [ prompt t | row of task t ]   the prompts move, the model is frozen: a prompt learns its task's format
    stage 2   [ prompt t | row of task t ]   the model moves, the prompts are frozen: the format need not go into the model
    mixed in             [ row ]             general rows and plain text, in both stages: read as they are without tuning
    evaluation           [ row ]             the prompt is gone

The prompts (task, token, hidden) are a parameter of the model, and a hook puts them before the embeddings in training mode
only. They go into no model file: `take_prompt` gives them back, and they are stored beside the model (PEFT's own prompt
tuning would drop the tuned model from checkpoints, ignore positions and refuse 4-d masks).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from manyshot.errors import ModelError, nearest

NAME = "soft_prompt"
FILE = "soft_prompt.safetensors"
# what the model's forward is given beside ids: (row,) int64, each row's place among the prompts, -1 for no prompt
ROW_TASKS = "row_tasks"
_TASKS = "_soft_prompt_tasks"
_HOOK = "_soft_prompt_hook"


@dataclass(frozen=True, slots=True)
class SoftPrompts:
    """Prompts with the tasks that they are for."""

    values: torch.Tensor
    """(task, token, hidden)"""
    tasks: tuple[str, ...] = ()
    """A name for each prompt; none where the only prompt is that of whatever task is read."""

    def index(self, task: str, place: str | Path) -> int:
        """Return the number of a task's prompt. ModelError, which says that they are `place`'s, where it has none."""
        if not self.tasks:
            return 0
        if task not in self.tasks:
            raise ModelError(
                f'{place}: no soft prompt for task "{task}"{nearest(task, self.tasks)}, only for the {len(self.tasks)} tasks '
                "that the prompts were trained on; train the prompts on it too, or leave it out"
            )
        return self.tasks.index(task)

    def of(self, tasks: Sequence[str], place: str | Path) -> "SoftPrompts":
        """Return the prompts of these tasks, in their order. ModelError where one has none."""
        if not self.tasks:
            return self
        return SoftPrompts(self.values[[self.index(task, place) for task in tasks]], tuple(tasks))


def new_prompt(model: Any, n_tokens: int, seed: int, n_tasks: int = 1) -> torch.Tensor:
    """Return the embeddings of random tokens of the vocabulary: (task, token, hidden)."""
    embeddings, generator = model.get_input_embeddings(), torch.Generator().manual_seed(seed)
    table = embeddings.weight
    # task by task, so that the first task's prompt is the same however many follow
    chosen = [torch.randint(len(table), (n_tokens,), generator=generator) for _ in range(n_tasks)]
    # through the module, which may scale what it looks up
    with torch.no_grad():
        return torch.stack([embeddings(ids.to(table.device)) for ids in chosen])


def attach_prompt(model: Any, values: torch.Tensor, *, moves: bool, tasks: Sequence[str] = ()) -> None:
    """Put prompts (task, token, hidden) before the rows that the model reads in training mode.

    `tasks` names them in the order of the rows' numbers; without names one prompt (token, hidden) stands before every row
    of a task. ModelError where the numbers do not fit the model or the names.
    """
    values = _by_task(values)
    hidden = model.get_input_embeddings().weight.shape[1]
    if values.dim() != 3 or values.shape[2] != hidden or len(values) != max(1, len(tasks)):
        raise ModelError(
            f"the soft prompt has shape {tuple(values.shape)} for {len(tasks)} named tasks, and the model's embeddings "
            f"{hidden} numbers a token; use a prompt of the same model and tasks"
        )
    model.register_parameter(NAME, torch.nn.Parameter(values.clone(), requires_grad=moves))
    setattr(model, _TASKS, tuple(tasks))
    setattr(model, _HOOK, model.register_forward_pre_hook(_prepend, with_kwargs=True))


def is_prompted(model: Any) -> bool:
    """Tell whether a model has soft prompts attached, and so is to be told each row's task as `ROW_TASKS`."""
    return getattr(model, NAME, None) is not None


def take_prompt(model: Any) -> SoftPrompts | None:
    """Remove a model's prompts and return them; None where there are none."""
    if not is_prompted(model):
        return None
    prompts = SoftPrompts(getattr(model, NAME).detach().clone(), getattr(model, _TASKS))
    getattr(model, _HOOK).remove()
    for name in (NAME, _TASKS, _HOOK):
        delattr(model, name)
    return prompts


def save_prompt(values: torch.Tensor, folder: Path, tasks: Sequence[str] = ()) -> None:
    """Write prompts beside the model that they belong to, the names of their tasks in the file's metadata."""
    metadata = {"tasks": json.dumps(list(tasks), ensure_ascii=False)}
    save_file({NAME: _by_task(values).cpu().contiguous()}, folder / FILE, metadata=metadata)


def load_prompt(folder: str | Path) -> SoftPrompts:
    """Read the prompts of a model folder; a file (token, hidden) without names is one prompt for whatever task.

    ModelError where there is none.
    """
    place = Path(folder) / FILE
    if not place.is_file():
        raise ModelError(f"{place}: no such file; train a stage with tuning.preset soft_prompt first")
    with safe_open(place, "pt") as file:
        names = (file.metadata() or {}).get("tasks", "[]")
        return SoftPrompts(_by_task(file.get_tensor(NAME)), tuple(json.loads(names)))


def _by_task(values: torch.Tensor) -> torch.Tensor:
    return values.unsqueeze(0) if values.dim() == 2 else values


def _prepend(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Turn ids into embeddings behind each row's prompt, and shift what says where the head is needed."""
    given = {key: value for key, value in kwargs.items() if key != ROW_TASKS}
    if not model.training:
        return args, given
    ids, keep = given.pop("input_ids", args[0] if args else None), given.get("logits_to_keep")
    if not isinstance(keep, torch.Tensor) or keep.dtype != torch.bool or keep.shape != ids.shape:
        raise ModelError(
            "a model with a soft prompt is trained by ManyShotTrainer, which says where the head is needed"
        )
    if given.get("position_ids") is not None or given.get("attention_mask") is not None:
        raise ModelError("a model with a soft prompt reads rows without position_ids and attention_mask")
    embedded = model.get_input_embeddings()(ids)  # (row, token, hidden)
    prompts, of_rows = getattr(model, NAME).to(embedded.dtype), kwargs.get(ROW_TASKS)
    own = _of_rows(prompts, of_rows, len(ids), named=bool(getattr(model, _TASKS)))
    n = own.shape[1]
    embeds, kept = torch.cat([own, embedded], dim=1), F.pad(keep, (n, 0), value=False)
    if of_rows is not None and bool((of_rows < 0).any()):
        # a row without a prompt begins at the first position; nothing looks at what is on its right
        has = (of_rows >= 0)[:, None]
        embeds = torch.where(has[:, :, None], embeds, F.pad(embedded, (0, 0, 0, n)))
        kept = torch.where(has, kept, F.pad(keep, (0, n), value=False))
    given["inputs_embeds"], given["logits_to_keep"] = embeds, kept
    return (), given


def _of_rows(prompts: torch.Tensor, of_rows: torch.Tensor | None, n_rows: int, *, named: bool) -> torch.Tensor:
    """Return each row's prompt: (row, token, hidden); any prompt for a row that has none."""
    if named and (of_rows is None or int(of_rows.max()) >= len(prompts)):
        raise ModelError(
            f"the model has soft prompts for {len(prompts)} tasks, and its rows do not say which of these they are of; "
            "give rows a `task` from 0, or tune without naming tasks"
        )
    if of_rows is None or len(prompts) == 1:
        return prompts.expand(n_rows, -1, -1)
    return prompts[of_rows.clamp(min=0)]
