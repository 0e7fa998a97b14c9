"""Leak check: no text of a held-out task may stand in a training task. Finds, counts, names; refuses or drops."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from manyshot.errors import LeakError
from manyshot.tasks.lazy_rows import LazyRows
from manyshot.tasks.task import Example, Task

RUN_WORDS = 8
# a run of words that stands in more than this share of a task's examples (and more than twice) is its boilerplate
BOILERPLATE_SHARE = 0.01
_WORD_OR_END = re.compile(r"\w+|\x00")
# odd multiplier of a polynomial hash over 64-bit integers that wrap around
_BASE = np.uint64(0x9E3779B97F4A7C15)
_END = np.uint64(hash("\x00") & 0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Leak:
    """Texts that a training task and a held-out task share; `rows` are the training rows concerned (train, then test)."""

    train: str
    held_out: str
    kind: str
    count: int
    rows: tuple[int, ...] = ()
    sample: str = ""

    def __str__(self) -> str:
        sample = f' ("{self.sample}")' if self.sample else ""
        return f"{self.train} ~ {self.held_out}: {self.count} {self.kind}{sample}"


def find_leaks(
    train: Sequence[Task], held_out: Sequence[Task], share_texts: Sequence[Sequence[str]] = ()
) -> list[Leak]:
    """Return every pair of a training and a held-out task that share texts, most shared first.

    Three kinds: both in one group of `share_texts` (task names); the same (input, output) pair; the same run of eight
    words in texts of both, where the run is no boilerplate of either task.
    """
    leaks = [
        Leak(a.name, b.name, "group of tasks made from the same texts", 1)
        for group in share_texts
        for a in train
        for b in held_out
        if a.name in group and b.name in group
    ]
    pairs_of = [set(_pairs(task)) for task in held_out]
    held_runs = [np.unique(_word_runs(task)[0]) for task in held_out]
    # all held-out runs in one sorted list, each beside the number of its task: one look-up a training task, not one a pair
    known = np.concatenate([np.empty(0, np.uint64), *held_runs])
    owner = np.repeat(np.arange(len(held_out)), [runs.size for runs in held_runs])
    order = np.argsort(known, kind="stable")
    known, owner = known[order], owner[order]
    # a table of the hashes' first 24 bits turns nearly all other runs away before the search
    table = np.zeros(1 << 24, bool)
    table[known >> np.uint64(40)] = True
    for a in train:
        pairs = _pairs(a)
        distinct = set(pairs)
        runs, rows = _word_runs(a)
        likely = table[runs >> np.uint64(40)]
        runs, rows = runs[likely], rows[likely]
        first, last = np.searchsorted(known, runs, "left"), np.searchsorted(known, runs, "right")
        hits = [(run, row, owner[i]) for run, row, f, n in _between(runs, rows, first, last) for i in range(f, n)]
        for number, b in enumerate(held_out):
            if both := (distinct & pairs_of[number]) - {None}:
                same = [row for row, pair in enumerate(pairs) if pair in both]
                leaks.append(Leak(a.name, b.name, "examples alike", len(same), tuple(same), _text(a, same[0])[:60]))
            if mine := [(run, row) for run, row, task in hits if task == number]:
                touched = tuple(sorted({int(row) for _, row in mine}))
                sample = _spell(a, touched[0], held_runs[number])
                n_runs = len({int(run) for run, _ in mine})
                leaks.append(Leak(a.name, b.name, f"runs of {RUN_WORDS} words alike", n_runs, touched, sample))
    return sorted(leaks, key=lambda leak: (-leak.count, leak.train, leak.held_out, leak.kind))


def refuse_leaks(leaks: Sequence[Leak]) -> None:
    """Raise LeakError that lists the pairs of tasks and the counts, if there are any."""
    if not leaks:
        return
    shown = "; ".join(map(str, leaks[:8])) + (f"; and {len(leaks) - 8} more" if len(leaks) > 8 else "")
    n_pairs = len({(leak.train, leak.held_out) for leak in leaks})
    raise LeakError(
        f"{n_pairs} pairs of training and held-out tasks share texts: {shown}. Move one task of each pair to the "
        'other side, or set suite.leaks to "drop" (leave such training rows out) or "report"'
    )


def drop_leaks(train: Sequence[Task], leaks: Sequence[Leak]) -> list[Task]:
    """Return the training tasks without the rows that share texts; a task with no training row left goes altogether.

    Tasks of one group of texts are left to the caller: no row of theirs can stay.
    """
    rows: dict[str, set[int]] = {}
    for leak in leaks:
        rows.setdefault(leak.train, set()).update(leak.rows)
    kept = []
    for task in train:
        gone = rows.get(task.name, set())
        if not gone:
            kept.append(task)
            continue
        pools = [
            _without(pool, {i - start for i in gone if start <= i < start + len(pool)})
            for pool, start in ((task.train, 0), (task.test, len(task.train)))
        ]
        if pools[0]:
            kept.append(replace(task, train=pools[0], test=pools[1]))
    return kept


def _without(pool: Sequence[Example], gone: set[int]) -> Sequence[Example]:
    return pool.without(gone) if isinstance(pool, LazyRows) else [e for i, e in enumerate(pool) if i not in gone]


def _between(runs: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> Iterator[tuple]:
    for i in np.flatnonzero(last > first):
        yield runs[i], rows[i], first[i], last[i]


def _rows(task: Task) -> list[Example]:
    return [*task.train, *task.test]


def _text(task: Task, row: int) -> str:
    example = _rows(task)[row]
    return f"{example.input} {example.output}"


def _pairs(task: Task) -> list[tuple[str, str] | None]:
    """Return each row's (input, output), folded; None where the input is a word or two of the language, no text."""
    pairs: list[tuple[str, str] | None] = []
    for example in _rows(task):
        text = " ".join(example.input.casefold().split())
        pairs.append((text, example.output.casefold()) if text.count(" ") >= 2 else None)
    return pairs


def _word_runs(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes of the task's runs of words without its boilerplate, and their rows: (run,) uint64, (run,) int64."""
    examples = _rows(task)
    runs, rows = _run_hashes("\x00".join(f"{e.input} {e.output}".replace("\x00", " ") for e in examples))
    if not runs.size:
        return runs, rows
    _, inverse, counts = np.unique(runs, return_inverse=True, return_counts=True)
    keep = counts[inverse] <= max(2, BOILERPLATE_SHARE * len(examples))
    return runs[keep], rows[keep]


def _run_hashes(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Hash each run of words in texts that a zero character separates; return hashes and the number of each one's text."""
    words = _WORD_OR_END.findall(text.casefold())
    ids = np.fromiter((hash(word) & 0xFFFFFFFFFFFFFFFF for word in words), np.uint64, len(words))
    n_runs = max(0, len(words) - RUN_WORDS + 1)
    runs = np.zeros(n_runs, np.uint64)
    for offset in range(RUN_WORDS):
        runs = runs * _BASE + ids[offset : offset + n_runs]
    ends = np.cumsum(ids == _END)
    start, stop = ends[:n_runs], ends[RUN_WORDS - 1 : RUN_WORDS - 1 + n_runs]
    # a run that begins with a separator counts as one more ended text than its first word belongs to
    whole = (start == stop) & (ids[:n_runs] != _END)
    return runs[whole], start[whole]


def _spell(task: Task, row: int, wanted: np.ndarray) -> str:
    """Return the row's first run of words whose hash is wanted."""
    text = _text(task, row).replace("\x00", " ")
    hits = np.flatnonzero(np.isin(_run_hashes(text)[0], wanted))
    words = _WORD_OR_END.findall(text)
    return " ".join(words[hits[0] : hits[0] + RUN_WORDS]) if hits.size else ""
