"""The free curve: one pass over an episode gives loss and greedy accuracy at every number of shots.

Under a causal mask, answer i of an episode is read exactly as behind an i-shot prompt, so a single teacher-forced pass scores
the 0-, 1-, ... (n-1)-shot conditionals together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from manyshot.episodes import Episode
from manyshot.models import own_forward
from manyshot.objectives import target_nll


@dataclass(frozen=True, slots=True)
class ShotCurve:
    """Scores of an episode's answers by the number of examples before each: (shot,) arrays."""

    nll: np.ndarray
    """-log p of the answer with its stop text, in nats."""
    n_tokens: np.ndarray
    right: np.ndarray
    """Whether every token of the answer is the most likely one: what greedy decoding would have given."""


@torch.inference_mode()
def free_curve(model: Any, episode: Episode) -> ShotCurve:
    """Score every answer of the episode in one pass, logits at answer positions only."""
    ids = torch.as_tensor(episode.ids.astype(np.int64), device=model.device)
    keep = torch.zeros(len(ids), dtype=torch.bool, device=model.device)
    for _, start, end in episode.bounds:
        keep[start - 1 : end - 1] = True
    logits = own_forward(model)(input_ids=ids[None], logits_to_keep=keep[None], use_cache=False).logits
    logits = logits.reshape(-1, logits.shape[-1])  # (target, vocab)
    targets = ids[1:][keep[:-1]]
    nll = target_nll(logits, targets).double().cpu().numpy()
    hits = (logits.argmax(-1) == targets).cpu().numpy()
    sizes = (episode.bounds[:, 2] - episode.bounds[:, 1]).astype(np.int64)
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return ShotCurve(np.add.reduceat(nll, firsts), sizes, np.logical_and.reduceat(hits, firsts))
