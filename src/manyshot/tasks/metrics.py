"""Metrics: one query's score, a cell's score, and the floor. Texts and numbers only. To add one, write a function and its line
in `_SCORES`.

accuracy and exact_match compare whole answers, letters as they are. f1 is SQuAD's token F1 (arXiv 1606.05250, its
normalisation included). rouge_l is the F-measure of the rouge-score package. numeric compares the last number of each text.
macro_f1 is the mean over the labels that occur, so its cell score is no mean over queries.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

# a sign counts only where no digit or letter stands before it: 10-12 ends in 12
_NUMBER = re.compile(r"(?:(?<![\w.])[-+])?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def score_query(metric: str, prediction: str, target: str) -> float:
    """Return the score of one query, 0 to 1. `metric` is one of METRICS."""
    return float(_SCORES[metric](prediction, target))


def score_cell(metric: str, predictions: Sequence[str], targets: Sequence[str], correct: Sequence[float]) -> float:
    """Return a cell's score from its queries."""
    if metric == "macro_f1":
        return macro_f1(*encode_labels(predictions, targets))
    return float(np.mean(correct))


def floor_score(metric: str, labels: Sequence[str] | None, targets: Sequence[str]) -> float:
    """Return the score of always answering the most frequent target; 0 for free text."""
    if labels is None or not targets:
        return 0.0
    most = Counter(targets).most_common(1)[0][0]
    return score_cell(metric, [most] * len(targets), targets, [float(target == most) for target in targets])


def encode_labels(predictions: Sequence[str], targets: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and targets as numbers: two (query,) int64 arrays."""
    codes = {label: i for i, label in enumerate(dict.fromkeys([*targets, *predictions]))}
    return np.array([codes[p] for p in predictions]), np.array([codes[t] for t in targets])


def macro_f1(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean F1 over the labels that occur as prediction or target: of two (query,) int arrays."""
    n = int(max(predictions.max(), targets.max())) + 1
    hits = np.bincount(targets[predictions == targets], minlength=n)
    total = np.bincount(targets, minlength=n) + np.bincount(predictions, minlength=n)
    present = total > 0
    return float((2 * hits[present] / total[present]).mean())


def same_text(prediction: str, target: str) -> bool:
    """Tell whether both are the same, letters as they are, spaces as one."""
    return " ".join(prediction.split()) == " ".join(target.split())


def rouge_l(prediction: str, target: str) -> float:
    """Return the F-measure of the longest common subsequence."""
    return _rouge().score(target, prediction)["rougeL"].fmeasure


def token_f1(prediction: str, target: str) -> float:
    """Return SQuAD's F1 over normalised tokens."""
    a, b = _normalise(prediction).split(), _normalise(target).split()
    if not a or not b:
        return float(a == b)
    shared = sum((Counter(a) & Counter(b)).values())
    return 2 * shared / (len(a) + len(b))


def same_number(prediction: str, target: str) -> bool:
    """Tell whether the last number of both texts is the same, to one part in a million."""
    a, b = last_number(prediction), last_number(target)
    return a is not None and b is not None and abs(a - b) <= 1e-6 * max(1.0, abs(b))


def last_number(text: str) -> float | None:
    """Return the last number written in the text, thousands separators allowed."""
    found = _NUMBER.findall(text.replace("\u2212", "-"))
    return float(found[-1].replace(",", "")) if found else None


def _normalise(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False)


_SCORES: Mapping[str, Callable[[str, str], float]] = {
    "accuracy": same_text,
    "macro_f1": same_text,
    "exact_match": same_text,
    "f1": token_f1,
    "rouge_l": rouge_l,
    "numeric": same_number,
}
METRICS = tuple(_SCORES)
