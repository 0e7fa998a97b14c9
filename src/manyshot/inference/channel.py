"""Channel scoring: how likely is the input, given each label? (arXiv 2108.04106). A task turned round, one branch a label.

Direct scoring compares p(label | demonstrations, input); channel scoring compares p(input | demonstrations, label), with the
label first in every example. The input differs from query to query and follows another label in each branch, so nothing is
shared beyond the prefix, and there is no trie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from manyshot.inference.prefix import ROOT, Chain, Row
from manyshot.tasks import Example, Task, Template

if TYPE_CHECKING:
    from torch import Tensor


def channel_task(task: Task) -> Task:
    """Return the task with inputs and outputs, and their places in the template, exchanged."""
    stop = task.template.stop
    template = Template(task.template.header, "Output: {input}\nInput:", " {output}", stop)
    if any(stop in example.input for pool in (task.train, task.test) for example in pool):
        template = replace(template, stop="\n###\n")
    turned = [[Example(e.output, e.input) for e in pool] for pool in (task.train, task.test)]
    return replace(task, labels=None, metric="exact_match", train=turned[0], test=turned[1], template=template)


def channel_logprobs(
    row: Row, label_prompts: Sequence[np.ndarray], inputs: Sequence[np.ndarray]
) -> list[tuple[float, ...]]:
    """Return log p(input | label), in nats, of every input under every label: one branch a pair, all in one pass."""
    chains = [Chain(ROOT, np.concatenate([label, text])) for text in inputs for label in label_prompts]
    _, logits = row.append(chains, every=True)
    totals, at = [], 0
    for text in inputs:
        scores = []
        for label in label_prompts:
            n = len(label) + len(text)
            # the token before the input predicts its first one
            steps = logits[at + len(label) - 1 : at + n - 1]
            scores.append(float(_logprobs(steps, text).sum()))
            at += n
        totals.append(tuple(scores))
    return totals


def _logprobs(logits: Tensor, ids: np.ndarray) -> Tensor:
    targets = torch.as_tensor(np.asarray(ids, np.int64), device=logits.device)
    return torch.log_softmax(logits.float(), -1).gather(1, targets[:, None])[:, 0]
