"""How often known answers are the first choice, by kind of document, on rows of made-up words that training never draws."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from manyshot.objectives import keep_mask
from manyshot.pretraining.curriculum import OBJECTIVE, StageOptions
from manyshot.pretraining.rows import PretrainingRows
from manyshot.pretraining.words import evaluation_word
from manyshot.training import EpisodeCollator


@dataclass(frozen=True, slots=True)
class Known:
    """Shares between 0 and 1."""

    tokens: float
    """Of target tokens, those that are the model's first choice: stop texts and a word's later pieces count, and are easy."""
    answers: float
    """Of answers, those whose tokens all are, each given the text before it. Of prose, whole rows."""


def known_accuracy(
    model: Any, tokenizer: Any, stage: StageOptions, kinds: Sequence[str] = (), *, n_rows: int = 64, seed: int = 1
) -> dict[str, Known]:
    """Return what of known answers is the model's first choice, by kind.

    `kinds` are those of the stage unless given. In rows of single-piece words the words themselves were trained on and
    their pairing was not.
    """
    found = {}
    for kind in kinds or [kind for kind, share in stage.mix.items() if share > 0]:
        alone = stage.model_copy(update={"mix": {kind: 1.0}})
        made = PretrainingRows(alone, tokenizer, n_rows, seed, draw=evaluation_word)
        rows = [made[n] for n in range(n_rows)]
        batch = EpisodeCollator(OBJECTIVE)(rows)
        keep = keep_mask(batch["loss_weights"])
        with torch.inference_mode():
            logits = model(batch["input_ids"].to(model.device), logits_to_keep=keep.to(model.device)).logits
        targets = batch["input_ids"][:, 1:]
        aimed = keep[:, :-1]
        right = torch.zeros_like(targets, dtype=torch.bool)
        right[aimed] = logits.reshape(int(aimed.sum()), -1).argmax(-1).cpu() == targets[aimed]
        whole = [
            bool(right[n, start - 1 : end - 1].all())
            for n, row in enumerate(rows)
            for _, start, end in row["bounds"].tolist()
        ]
        found[kind] = Known(float(right[aimed].float().mean()), sum(whole) / len(whole))
    return found
