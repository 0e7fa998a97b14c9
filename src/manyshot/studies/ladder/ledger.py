"""The ledger: what each method of the ladder consumed in training, and what an answer costs in tokens read before it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from manyshot import records
from manyshot.episodes import Encoder, draw_demonstrations
from manyshot.evaluation import bits_per_byte
from manyshot.files import read_json, write_json
from manyshot.models import load_model, load_tokenizer
from manyshot.records import Prediction, Score
from manyshot.studies.jobs import Job
from manyshot.studies.methods import BASE, METHODS
from manyshot.studies.preset import LadderPreset
from manyshot.studies.text import study_text
from manyshot.tasks import Task, open_corpus


def ledger(
    preset: LadderPreset,
    folder: Path,
    judged: Sequence[tuple[Task, str]],
    jobs: Sequence[Job],
    scores: Sequence[Score],
    predictions: Sequence[Prediction],
) -> dict[str, dict[str, Any]]:
    """Return the fields of the base and of each method: trained tokens, supervised answers, seconds, prompt tokens."""
    entries = {name: _consumed(preset, folder, name, jobs) for name in (BASE, *preset.methods)}
    _add_prompt_costs(entries, preset, judged, scores, predictions)
    return entries


def prompt_costs(
    tasks: Mapping[str, Task],
    scores: Sequence[Score],
    queries: Mapping[str, Sequence[int]],
    tokenizer: Any,
    shots: Iterable[int],
) -> dict[str, Any]:
    """Return mean prompt tokens an answer by number of shots, over the tasks, draws and queries that a method was scored on.

    `prompt_tokens` counts header, demonstrations and query for each answer; `primed_prompt_tokens` the former two once for
    all of a task's queries, as evaluation reads them through its cache. The tokens of the answers come on top of both.
    """
    encoder = Encoder(tokenizer)
    whole: dict[str, float] = {}
    primed: dict[str, float] = {}
    pieces = {name: _Pieces(encoder, tasks[name], queries[name]) for name in {s.task for s in scores}}
    most = {name: max(s.actual_shots for s in scores if s.task == name) for name in pieces}
    for k in shots:
        cells = [s for s in scores if s.shots == k]
        before = [pieces[s.task].before(s.actual_shots, s.draw, most[s.task]) for s in cells]
        own = [pieces[s.task].query_tokens for s in cells]
        if cells:
            whole[str(k)] = round(float(np.mean(before) + np.mean(own)), 1)
            primed[str(k)] = round(
                float(np.mean([b / s.n for b, s in zip(before, cells, strict=True)]) + np.mean(own)), 1
            )
    return {"prompt_tokens": whole, "primed_prompt_tokens": primed}


def _consumed(preset: LadderPreset, folder: Path, method: str, jobs: Sequence[Job]) -> dict[str, Any]:
    """Return tokens, supervised answers and seconds, a mean over seeds; of dedicated models the sum over tasks."""
    if method == BASE:
        fields: dict[str, Any] = {"trained_tokens": 0, "supervised_answers": 0, "seconds": 0.0}
        places = [preset.model]
    else:
        own = [job for job in jobs if job.method == method]
        each = [read_json(folder / "runs" / job.name / records.EXTRAS)["tuned"] for job in own]
        fields = {key: round(sum(e[key] for e in each) / len(preset.seeds), 1) for key in each[0]}
        fields |= {key: round(fields[key]) for key in ("trained_tokens", "supervised_answers")}
        fields["tokens_per_answer"] = round(fields["trained_tokens"] / fields["supervised_answers"], 1)
        places = [] if METHODS[method].dedicated else [str(folder / "runs" / j.name / records.MODEL) for j in own]
    if preset.text and places:
        fields["general_bits_per_byte"] = _bits(preset, folder, method, places)
    return fields


def _add_prompt_costs(
    entries: Mapping[str, dict[str, Any]],
    preset: LadderPreset,
    judged: Sequence[tuple[Task, str]],
    scores: Sequence[Score],
    predictions: Sequence[Prediction],
) -> None:
    """Add what an answer costs in prompt tokens: on held-out tasks, of dedicated models on their own."""
    roles, tasks = {t.name: role for t, role in judged}, {t.name: t for t, _ in judged}
    tokenizer = load_tokenizer(preset.model)
    for method, fields in entries.items():
        role = "seen" if method != BASE and METHODS[method].dedicated else "held_out"
        cells = [s for s in scores if s.method == method and roles[s.task] == role]
        asked: dict[str, set[int]] = {}
        for p in predictions:
            if p.method == method and roles[p.task] == role:
                asked.setdefault(p.task, set()).add(p.query)
        queries = {task: sorted(numbers) for task, numbers in asked.items()}
        ends = dict.fromkeys((min(preset.shots), max(preset.shots)))
        fields |= prompt_costs(tasks, cells, queries, tokenizer, ends)


def _bits(preset: LadderPreset, folder: Path, method: str, places: Sequence[str]) -> float:
    """Return bits per byte on the preset's text, a mean over seeds; kept once measured."""
    cache = folder / "bits_per_byte.json"
    known = read_json(cache) if cache.is_file() else {}
    if method not in known:
        corpus = open_corpus(str(study_text(preset.text, folder)))
        values = []
        for place in places:
            loaded = load_model(place)
            values.append(bits_per_byte(loaded.model, loaded.tokenizer, corpus, max_bytes=50_000))
        known[method] = round(float(np.mean(values)), 4)
        write_json(cache, known)
    return known[method]


class _Pieces:
    """Lengths of one task's pieces in tokens, each demonstration encoded once."""

    def __init__(self, encoder: Encoder, task: Task, queries: Sequence[int]) -> None:
        self.encoder, self.task = encoder, task
        self.header = len(encoder.header(task))
        self.query_tokens = float(encoder.prompts(task, [task.test[q].input for q in queries]).lengths.mean())
        self._lengths: dict[int, int] = {}
        self._drawn: dict[int, list[int]] = {}

    def before(self, shots: int, draw: int, most: int) -> int:
        """Return the tokens of header and demonstrations."""
        if draw not in self._drawn:
            self._drawn[draw] = [int(i) for i in draw_demonstrations(self.task, most, 0, draw)]
            new = [i for i in self._drawn[draw] if i not in self._lengths]
            lengths = self.encoder.examples(self.task, [self.task.train[i] for i in new]).lengths if new else []
            self._lengths |= dict(zip(new, map(int, lengths), strict=True))
        return self.header + sum(self._lengths[i] for i in self._drawn[draw][:shots])
