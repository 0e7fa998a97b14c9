"""Counts what training consumed and the loss by number of shots. Sums stay on the device until somebody asks."""

import time
from typing import Any

import torch

from manyshot.training.collation import bucket_name

N_BUCKETS = 16


class Meter:
    """Tokens, answers and loss since the start of training, and since the last reading."""

    def __init__(self) -> None:
        self.n_tokens = 0
        self.n_answers = 0
        self._sums: torch.Tensor | None = None
        self._terms: dict[str, torch.Tensor] = {}
        self._window_tokens = 0
        self._window_answers = 0
        self._since = time.perf_counter()

    def count(self, n_tokens: int, n_answers: int) -> None:
        """Add the tokens and answers of a batch, over all ranks."""
        self.n_tokens += n_tokens
        self.n_answers += n_answers
        self._window_tokens += n_tokens
        self._window_answers += n_answers

    def add_losses(self, nll: torch.Tensor, buckets: torch.Tensor) -> None:
        """Add -log p of target tokens (target,) in nats under their shot buckets (target,)."""
        if self._sums is None:
            self._sums = torch.zeros(2, N_BUCKETS + 1, device=nll.device, dtype=torch.float32)
        # text tokens have bucket -1 and fall into the last place, which is not shown
        place = buckets.clamp(max=N_BUCKETS - 1) % (N_BUCKETS + 1)
        self._sums[0].index_add_(0, place, nll.detach().float())
        self._sums[1].index_add_(0, place, torch.ones_like(nll, dtype=torch.float32))

    def add_term(self, name: str, total: torch.Tensor, n: int) -> None:
        """Add a preservation term: its sum over n positions, before its weight."""
        pair = torch.stack([total.detach().float(), torch.tensor(float(n), device=total.device)])
        self._terms[name] = self._terms[name] + pair if name in self._terms else pair

    def read(self) -> dict[str, float]:
        """Return loss by shots (nats a token), means of terms and speed since the last reading, and start a new one."""
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        out: dict[str, float] = {
            "tokens": self.n_tokens,
            "answers": self.n_answers,
            "tokens_per_second": round(self._window_tokens / seconds, 1),
            "answers_per_second": round(self._window_answers / seconds, 2),
        }
        if self._sums is not None:
            sums, counts = self._sums[:, :N_BUCKETS].tolist()
            for bucket, (total, n) in enumerate(zip(sums, counts, strict=True)):
                if n:
                    out[f"loss_shots_{bucket_name(bucket)}"] = round(total / n, 6)
        for name, pair in self._terms.items():
            total, n = pair.tolist()
            if n:
                out[name] = round(total / n, 6)
        self._sums, self._terms = None, {}
        self._window_tokens = self._window_answers = 0
        self._since = now
        return out

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"n_tokens": self.n_tokens, "n_answers": self.n_answers}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.n_tokens, self.n_answers = int(state["n_tokens"]), int(state["n_answers"])
