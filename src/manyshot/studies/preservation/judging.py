"""Scores of a study's models: a run folder a model, written once however many processes ask for it.

FOLDER/NAME/scores.jsonl, predictions.jsonl   under the model's name, at no and at `shots` demonstrations
FOLDER/NAME/extras.json                       bits per byte on general text, where that is measured
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyshot import records
from manyshot.evaluation import Benchmark, EvaluationOptions, Judged, bits_per_byte, cells_of, read_judged
from manyshot.files import write_json
from manyshot.inference import Reader
from manyshot.models import load_model
from manyshot.records import CellLog
from manyshot.studies.jobs import alone
from manyshot.studies.preservation.prompt import has_prompt, prompted_reader
from manyshot.tasks import Task, open_corpus

_MAX_BYTES = 50_000


@dataclass(frozen=True, slots=True)
class Bench:
    """Where models are judged, and how: all alike."""

    folder: Path
    options: EvaluationOptions
    text: str | None
    """Plain text for bits per byte; None measures none."""
    say: Callable[[str], None]

    def is_judged(self, name: str, tasks: Sequence[Task]) -> bool:
        """Tell whether everything about a model is on disk."""
        folder = self.folder / name
        if self.text is not None and not (folder / records.EXTRAS).is_file():
            return False
        if not (folder / records.SCORES).is_file():
            return False
        done = {score.cell for score in records.read_scores(folder)}
        return cells_of(name, tasks, self.options) <= done

    def judge(
        self, name: str, model: Callable[[], Path | str], tasks: Sequence[Task], own: Sequence[Task] = ()
    ) -> None:
        """Score a model on foreign tasks and on its own, unless that is done.

        Its own are read behind the soft prompt that the model was tuned with, where there is one.
        """
        if self.is_judged(name, [*tasks, *own]):
            return
        # before the lock: it may be a training
        place = model()
        folder = self.folder / name
        with alone(folder):
            if self.is_judged(name, [*tasks, *own]):
                return
            log = CellLog(folder)
            loaded = load_model(str(place))
            self._score(
                name, Reader(loaded.model, loaded.tokenizer), [*tasks] if has_prompt(place) else [*tasks, *own], log
            )
            if self.text is not None:
                bits = bits_per_byte(loaded.model, loaded.tokenizer, open_corpus(self.text), max_bytes=_MAX_BYTES)
                write_json(folder / records.EXTRAS, {name: {"general_bits_per_byte": round(bits, 4)}})
            if own and has_prompt(place):
                self._score(name, prompted_reader(loaded.model, loaded.tokenizer, place), own, log)
            log.finish()
            del loaded
            gc.collect()

    def read(self, name: str) -> Judged:
        """Return what is known of a model."""
        return read_judged(self.folder / name, name)

    def _score(self, name: str, reader: Reader, tasks: Sequence[Task], log: CellLog) -> None:
        Benchmark(tasks, self.options, log, say=self.say).run(name, reader)
