"""A soft prompt before the embedded row: what ProMoT (arXiv 2211.00635) trains first and freezes then.

    stage 1   [ prompt | row ]   the prompt moves, the model is frozen: the prompt learns the task's format
    stage 2   [ prompt | row ]   the model moves, the prompt is frozen: the format need not go into the model
    evaluation         [ row ]   the prompt is gone

The prompt (token, hidden) is a parameter of the model, and a hook puts it before the embeddings in training mode only. It goes
into no model file: `take_prompt` gives it back, and it is stored beside the model (PEFT's own prompt tuning would drop the
tuned model from checkpoints, ignore positions and refuse 4-d masks).
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from manyshot.errors import ModelError

NAME = "soft_prompt"
FILE = "soft_prompt.safetensors"
_HOOK = "_soft_prompt_hook"


def new_prompt(model: Any, n_tokens: int, seed: int) -> torch.Tensor:
    """Return the embeddings of random tokens of the vocabulary: (token, hidden)."""
    table = model.get_input_embeddings().weight
    chosen = torch.randint(len(table), (n_tokens,), generator=torch.Generator().manual_seed(seed))
    # through the module, which may scale what it looks up
    with torch.no_grad():
        return model.get_input_embeddings()(chosen.to(table.device)).detach().clone()


def attach_prompt(model: Any, prompt: torch.Tensor, *, moves: bool) -> None:
    """Put a prompt before every row that the model reads in training mode."""
    hidden = model.get_input_embeddings().weight.shape[1]
    if prompt.dim() != 2 or prompt.shape[1] != hidden:
        raise ModelError(
            f"the soft prompt has shape {tuple(prompt.shape)}, and the model's embeddings {hidden} numbers a token; use a "
            "prompt of the same model"
        )
    model.register_parameter(NAME, torch.nn.Parameter(prompt.clone(), requires_grad=moves))
    setattr(model, _HOOK, model.register_forward_pre_hook(_prepend, with_kwargs=True))


def take_prompt(model: Any) -> torch.Tensor | None:
    """Remove a model's prompt and return it (token, hidden); None where there is none."""
    if getattr(model, NAME, None) is None:
        return None
    prompt = getattr(model, NAME).detach().clone()
    getattr(model, _HOOK).remove()
    delattr(model, NAME)
    delattr(model, _HOOK)
    return prompt


def save_prompt(prompt: torch.Tensor, folder: Path) -> None:
    """Write a prompt beside the model that it belongs to."""
    save_file({NAME: prompt.cpu().contiguous()}, folder / FILE)


def load_prompt(folder: str | Path) -> torch.Tensor:
    """Read the prompt of a model folder. ModelError where it has none."""
    place = Path(folder) / FILE
    if not place.is_file():
        raise ModelError(f"{place}: no such file; train a stage with tuning.preset soft_prompt first")
    return load_file(place)[NAME]


def _prepend(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Turn ids into embeddings behind the prompt, and shift what says where the head is needed."""
    if not model.training:
        return None
    given = {**kwargs, "input_ids": kwargs.get("input_ids", args[0] if args else None)}
    ids, keep = given.pop("input_ids"), given.get("logits_to_keep")
    if not isinstance(keep, torch.Tensor) or keep.dtype != torch.bool or keep.shape != ids.shape:
        raise ModelError(
            "a model with a soft prompt is trained by ManyShotTrainer, which says where the head is needed"
        )
    if given.get("position_ids") is not None or given.get("attention_mask") is not None:
        raise ModelError("a model with a soft prompt reads rows without position_ids and attention_mask")
    embedded = model.get_input_embeddings()(ids)  # (row, token, hidden)
    prompt = getattr(model, NAME).to(embedded.dtype).expand(len(ids), -1, -1)
    given["inputs_embeds"] = torch.cat([prompt, embedded], dim=1)
    given["logits_to_keep"] = F.pad(keep, (prompt.shape[1], 0), value=False)
    return (), given
