"""Which tokens of a row are targets and with which weight. Plain numpy, so that it runs in data workers.

With y_i the answer that has i examples before it, n_i its tokens, a_i its shot weight and l_i the sum of -log p over its
tokens (arXiv 2506.11103 for the idea; averaging over the **global** batch):

    token      sum a_i l_i / sum a_i n_i      weight a_i        denominator sum a_i n_i
    answer     sum a_i l_i / n_i / sum a_i    weight a_i / n_i  denominator sum a_i
    sequence   sum a_i l_i / rows             weight a_i        denominator 1 a row

So every averaging is one weighted sum over one global denominator, and splitting a batch leaves the gradient unchanged.
"""

from dataclasses import dataclass

import numpy as np

from manyshot.errors import EpisodeError
from manyshot.objectives.options import FROM_SHOT, ObjectiveOptions


@dataclass(frozen=True, slots=True)
class RowWeights:
    """Weights of one row's tokens; token t is a target where weights[t] > 0."""

    weights: np.ndarray
    """(token,) float32"""
    shots: np.ndarray
    """(token,) int32: examples before the answer that the token belongs to; -1 elsewhere and in plain text."""
    denominator: float
    """The row's part of the global denominator."""
    n_answers: int
    """Supervised answers."""


def target_spans(bounds: np.ndarray, scope: str) -> np.ndarray:
    """Return the trained spans (start, end, shots) of a row under a scope: (span, 3) int64.

    The first token of a row has nothing before it and is never a target.
    """
    shots = np.arange(len(bounds))
    prompt_start, answer_start, end = bounds.T
    if scope in ("last_example", "all_tokens"):
        start = prompt_start.copy()
        if scope == "all_tokens":
            start[:1] = 0
    else:
        start = answer_start
    spans = np.stack([np.maximum(start, 1), end, shots], axis=1)
    return spans[-1:] if scope.startswith("last_") else spans


def weigh_row(bounds: np.ndarray, n_tokens: int, options: ObjectiveOptions, *, is_text: bool = False) -> RowWeights:
    """Return the weights of a row's tokens.

    Raises EpisodeError for a row without a target, which would train nothing in silence.
    """
    spans = target_spans(bounds, "all_answers" if is_text else options.scope)
    weights, shots = np.zeros(n_tokens, np.float32), np.full(n_tokens, -1, np.int32)
    denominator, n_answers = 0.0, 0
    for start, end, shot in spans:
        a = 1.0 if is_text else shot_weight(int(shot), len(bounds), options.shot_weights)
        if a <= 0 or end <= start:
            continue
        n = int(end - start)
        weights[start:end] = a / n if options.averaging == "answer" else a
        shots[start:end] = -1 if is_text else shot
        denominator += a * n if options.averaging == "token" else a
        n_answers += 1
    if not n_answers:
        raise EpisodeError(
            f"a row of {len(bounds)} examples has no target under objective.shot_weights {options.shot_weights}; raise "
            "episodes.min_examples above k, or the token budget"
        )
    return RowWeights(weights, shots, 1.0 if options.averaging == "sequence" else denominator, n_answers)


def split_denominator(weighed: RowWeights, averaging: str) -> tuple[float, float]:
    """Return a row's parts of two denominators: of targets without shots before them (and text), and of those with.

    Each kind's loss is then averaged over its own kind, in the manner of the table above.
    """
    parts = (weighed.weights[weighed.shots <= 0], weighed.weights[weighed.shots > 0])
    # per answer, the weights of its tokens add up to a_i; per token, to a_i n_i
    zero, few = (float((w > 0).any()) if averaging == "sequence" else float(w.sum(dtype=np.float64)) for w in parts)
    return zero, few


def shot_weight(shot: int, n_examples: int, how: str) -> float:
    """Return a_i for the answer with `shot` examples before it, in a row of `n_examples`."""
    if how == "ramp":
        return (shot + 1) / n_examples
    if match := FROM_SHOT.fullmatch(how):
        return float(shot >= int(match[1]))
    return 1.0
