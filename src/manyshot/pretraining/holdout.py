"""Top-1 accuracy on known answers, by kind of document, on rows of made-up words that training never draws."""

from collections.abc import Sequence
from typing import Any

import torch

from manyshot.objectives import keep_mask
from manyshot.pretraining.curriculum import OBJECTIVE, StageOptions
from manyshot.pretraining.rows import PretrainingRows
from manyshot.pretraining.words import evaluation_word
from manyshot.training import EpisodeCollator


def known_accuracy(
    model: Any, tokenizer: Any, stage: StageOptions, kinds: Sequence[str] = (), *, n_rows: int = 64, seed: int = 1
) -> dict[str, float]:
    """Return the share of target tokens that are the model's first choice, given the text before them, by kind.

    `kinds` are those of the stage unless given. In rows of single-piece words the words themselves were trained on and
    their pairing was not.
    """
    found = {}
    for kind in kinds or [kind for kind, share in stage.mix.items() if share > 0]:
        rows = PretrainingRows(
            stage.model_copy(update={"mix": {kind: 1.0}}), tokenizer, n_rows, seed, draw=evaluation_word
        )
        batch = EpisodeCollator(OBJECTIVE)([rows[n] for n in range(n_rows)])
        keep = keep_mask(batch["loss_weights"])
        with torch.inference_mode():
            logits = model(batch["input_ids"].to(model.device), logits_to_keep=keep.to(model.device)).logits
        targets = batch["input_ids"][:, 1:][batch["loss_weights"][:, 1:] > 0]
        found[kind] = float((logits.reshape(len(targets), -1).argmax(-1).cpu() == targets).float().mean())
    return found
