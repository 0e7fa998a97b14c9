from dataclasses import dataclass, field

from manyshot.pretraining.probe import make_probe, probe
from manyshot.pretraining.words import is_reserved
from manyshot.tasks import Example, Task, Template


@dataclass
class Said:
    output: str


@dataclass
class Remembers:
    """Knows what it was shown, and says the first label to anything else."""

    task: Task
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, demonstrations):
        self.notes |= {e.input: e.output for e in demonstrations}

    def answer(self, inputs):
        return [Said(self.notes.get(text, self.task.labels[0])) for text in inputs]


@dataclass
class Guesses:
    """Says the first label to everything."""

    task: Task

    def add(self, demonstrations):
        pass

    def answer(self, inputs):
        return [Said(self.task.labels[0]) for _ in inputs]


@dataclass
class Reader:
    kind: type

    def prime(self, task):
        return self.kind(task)


def test_a_model_that_remembers_recalls_every_shown_word_and_one_that_guesses_stays_at_the_floor():
    perfect = probe(Reader(Remembers), n_tasks=5)
    assert all(cell.recall == 1 for cell in perfect if cell.shots)
    assert all(cell.accuracy > 0.85 for cell in perfect if cell.shots == 32)
    for cell in probe(Reader(Guesses), n_tasks=5):
        assert cell.accuracy == cell.low == cell.high == cell.floor


def test_probe_words_and_labels_are_reserved_and_the_labels_equally_frequent():
    task = make_probe(0, 3, Template(), 4)
    words = [*(e.input for e in task.test), *task.labels]
    assert len(set(words)) == 20
    assert all(map(is_reserved, words))
    assert sorted([e.output for e in task.test].count(label) for label in task.labels) == [4] * 4


def test_probe_tasks_are_pure_functions_of_seed_and_number():
    assert make_probe(1, 2, Template(), 2).content_hash() == make_probe(1, 2, Template(), 2).content_hash()
    assert make_probe(1, 2, Template(), 2).content_hash() != make_probe(1, 3, Template(), 2).content_hash()


def test_demonstrations_say_what_the_queries_ask():
    task = make_probe(0, 0, Template(), 8, draw=lambda rng: str(rng.randrange(10**6)))
    meaning = {e.input: e.output for e in task.test}
    assert all(isinstance(e, Example) and meaning[e.input] == e.output for e in task.train)
    assert len({e.input for e in task.train}) < len(task.train)
