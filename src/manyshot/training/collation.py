"""Collate rows into a padded batch that carries its own loss weights. Runs in data workers; knows no model.

    input_ids     (row, token)  padded on the right
    loss_weights  (row, token)  weight of the loss on token t; 0 where it is no target
    shot_buckets  (row, token)  0: no example before the answer, b: 2^(b-1) .. 2^b - 1 examples; -1 elsewhere
    denominator   (row,)        each row's part of the global denominator
    task          (row,)        number of the task that is learned, -1 for general rows and plain text; where rows say it

and with preservation terms

    kl_input      (row, token)  whether the prediction made at token t is held to the start's
    kl_icl        (row, token)  the same for answers of general rows
    zero_shot_denominator, few_shot_denominator  (row,)

No attention mask: under causal attention nothing looks at padding on the right, and without one attention stays fast.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import torch

from manyshot.objectives import (
    ObjectiveOptions,
    RowWeights,
    answer_positions,
    input_positions,
    split_denominator,
    weigh_row,
)


class EpisodeCollator:
    """Pads rows and weighs their answers under an objective.

    Rows of EpisodeDataset are weighed by their bounds. Rows of any other dataset need `input_ids` and `labels`: each run
    of labels other than -100 counts as one answer. Batches are as wide as their longest row, up to the next multiple of
    `pad_to_multiple_of` (on a CPU each new shape costs kernels made anew and kept), but no narrower than `min_width`
    tokens: a compiled model wants one shape.
    """

    def __init__(
        self, objective: ObjectiveOptions, pad_id: int = 0, min_width: int = 0, pad_to_multiple_of: int = 16
    ) -> None:
        self.objective, self.pad_id = objective, pad_id
        self.min_width, self.pad_to_multiple_of = min_width, pad_to_multiple_of
        # of columns by token; 0 in all others
        self._padding = {"input_ids": pad_id, "shot_buckets": -1}

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad and weigh the rows of one batch."""
        width = self._width(max(len(row["input_ids"]) for row in rows))
        ids = np.full((len(rows), width), self._padding["input_ids"], np.int64)
        weights = np.zeros((len(rows), width), np.float32)
        buckets = np.full((len(rows), width), self._padding["shot_buckets"], np.int64)
        denominators = np.zeros(len(rows), np.float64)
        n_answers = np.zeros(len(rows), np.int64)
        n_tokens = np.zeros(len(rows), np.int64)
        more = self._preservation_columns(len(rows), width)
        if all("task" in row for row in rows):
            more["task"] = np.array([-1 if row.get("is_general", False) else row["task"] for row in rows], np.int64)
        for i, row in enumerate(rows):
            n = len(row["input_ids"])
            bounds = row["bounds"] if "bounds" in row else bounds_of_labels(np.asarray(row["labels"]))
            weighed = weigh_row(np.asarray(bounds), n, self.objective, is_text=bool(row.get("is_text", False)))
            weighed = self._preserve(more, i, row, np.asarray(bounds), weighed)
            ids[i, :n], weights[i, :n] = row["input_ids"], weighed.weights
            buckets[i, :n] = np.where(weighed.shots >= 0, shot_bucket(weighed.shots), -1)
            denominators[i], n_answers[i], n_tokens[i] = weighed.denominator, weighed.n_answers, n
        return {
            "input_ids": torch.from_numpy(ids),
            "loss_weights": torch.from_numpy(weights),
            "shot_buckets": torch.from_numpy(buckets),
            "denominator": torch.from_numpy(denominators.astype(np.float32)),
            "n_answers": torch.from_numpy(n_answers),
            "n_tokens": torch.from_numpy(n_tokens),
            **{name: torch.from_numpy(column) for name, column in more.items()},
        }

    def regroup(self, batches: Sequence[dict[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
        """Return batches of this collator with the same rows and sizes, the longest rows together in the first.

        The loss of a step is a sum over its rows, so that it matters to nothing but time which of them share a batch:
        a short row beside a long one is padded to its length.
        """
        lengths = [n for batch in batches for n in batch["n_tokens"].tolist()]
        if len(batches) < 2 or len(set(lengths)) < 2:
            return list(batches)
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        rows = [(batch, i) for batch in batches for i in range(len(batch["n_tokens"]))]
        found, done = [], 0
        for size in (len(batch["n_tokens"]) for batch in batches):
            chosen, width = order[done : done + size], self._width(lengths[order[done]])
            picked = [rows[i] for i in chosen]
            found.append({k: torch.stack([self._fit(k, b[k][i], width) for b, i in picked]) for k in batches[0]})
            done += size
        return found

    def _width(self, longest: int) -> int:
        return ceil(max(self.min_width, longest) / self.pad_to_multiple_of) * self.pad_to_multiple_of

    def _fit(self, column: str, row: torch.Tensor, width: int) -> torch.Tensor:
        """Return a row of a batch cut or padded to a width; numbers of whole rows stay as they are."""
        if row.dim() == 0 or len(row) >= width:
            return row[:width] if row.dim() else row
        return torch.nn.functional.pad(row, (0, width - len(row)), value=self._padding.get(column, 0))

    def _preservation_columns(self, n_rows: int, width: int) -> dict[str, np.ndarray]:
        terms = self.objective.preservation
        masks = [name for name in ("kl_input", "kl_icl") if getattr(terms, name) is not None]
        sums = ["zero_shot_denominator", "few_shot_denominator"] if terms.few_shot_aux is not None else []
        columns = {name: np.zeros((n_rows, width), bool) for name in masks}
        return {**columns, **{name: np.zeros(n_rows, np.float32) for name in sums}}

    def _preserve(
        self, columns: dict[str, np.ndarray], i: int, row: dict[str, Any], bounds: np.ndarray, weighed: RowWeights
    ) -> RowWeights:
        """Fill in row i of the columns; return its weights, which are zero for a general row that is only held."""
        terms, ids = self.objective.preservation, np.asarray(row["input_ids"])
        is_general = bool(row.get("is_general", False))
        if terms.kl_icl is not None and is_general:
            columns["kl_icl"][i, : len(ids)] = answer_positions(bounds, len(ids))
            if not terms.kl_icl.train_general:
                weighed = RowWeights(np.zeros_like(weighed.weights), weighed.shots, 0.0, 0)
        if terms.kl_input is not None and not (is_general and not weighed.n_answers):
            n_targets = int((weighed.weights > 0).sum())
            columns["kl_input"][i, : len(ids)] = input_positions(
                ids, bounds, n_targets, self.objective.scope, terms.kl_input
            )
        if terms.few_shot_aux is not None:
            zero, few = split_denominator(weighed, self.objective.averaging)
            columns["zero_shot_denominator"][i], columns["few_shot_denominator"][i] = zero, few
        return weighed


def bounds_of_labels(labels: np.ndarray) -> np.ndarray:
    """Return (prompt start, answer start, end) of each run of labels other than -100: (answer, 3) int64."""
    on = np.concatenate([[False], labels != -100, [False]])
    starts, ends = np.flatnonzero(~on[:-1] & on[1:]), np.flatnonzero(on[:-1] & ~on[1:])
    prompts = np.concatenate([[0], ends[:-1]]) if len(ends) else np.empty(0, np.int64)
    return np.stack([prompts, starts, ends], axis=1).astype(np.int64)


def shot_bucket(shots: np.ndarray) -> np.ndarray:
    """Return 0 for no shots, else 1 + floor(log2(shots))."""
    return np.where(shots > 0, np.floor(np.log2(np.maximum(shots, 1))).astype(np.int64) + 1, 0)


def bucket_name(bucket: int) -> str:
    """Return the shots of a bucket in words: 0, 1, 2-3, 4-7, ..."""
    if bucket <= 1:
        return str(bucket)
    return f"{2 ** (bucket - 1)}-{2**bucket - 1}"
