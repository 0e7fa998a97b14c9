"""Stress: what it changes and, above all, what it leaves as it was."""

import dataclasses
import itertools

import numpy as np
import pytest

from manyshot.evaluation import Benchmark, EvaluationOptions, cells_of, summarise
from manyshot.evaluation.stress import STRESSES, can_stress, stress_order, stress_task, stressed, unstressed
from manyshot.inference import Answer, Reader
from manyshot.records import CellLog, read_predictions, read_scores
from manyshot.tasks.metrics import score_query
from tests import tiny

OPTIONS = EvaluationOptions(shots=[0, 2, 6], draws=2, orders=3, limit=4, stress=list(STRESSES), max_new_tokens=3)


def tasks():
    return [tiny.word_task(), tiny.copy_task()]


def evaluate(folder, reader=None, options=OPTIONS, the_tasks=None, say=lambda line: None):
    log = CellLog(folder)
    reader = reader or Reader(tiny.model("llama"), tiny.tokenizer())
    Benchmark(the_tasks or tasks(), options, log, say=say).run("m", reader)
    log.finish()
    return folder


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    return evaluate(tmp_path_factory.mktemp("stress"))


class Listener:
    """A backend that notes what it is shown and answers with the last demonstration's output."""

    window = None

    def __init__(self):
        self.shown = []

    def prime(self, task, demonstrations=(), *, scoring="raw", score_stop=True):
        return Heard(self, task)

    def header_length(self, task):
        return 0

    def prompt_lengths(self, task, inputs):
        return np.zeros(len(inputs), int)

    answer_lengths = example_lengths = prompt_lengths


class Heard:
    tokens_computed = 0

    def __init__(self, listener, task):
        self.listener, self.task, self.examples = listener, task, []
        self.n_shots = 0

    def add(self, demonstrations):
        self.examples += demonstrations
        self.n_shots = len(self.examples)

    def answer(self, inputs, **options):
        self.listener.shown.append((self.task, list(self.examples)))
        last = self.examples[-1].output if self.examples else (self.task.labels or ("nothing",))[0]
        return [Answer(last, 0.0) for _ in inputs]


def shown_under(stress, tmp_path, task=None, draws=2):
    """Return what a model is shown at 0, 2 and 6 shots and draw after draw: plain, and under a stress."""
    found = []
    for kind in ([], [stress]):
        listener = Listener()
        options = OPTIONS.model_copy(update={"stress": kind, "draws": draws, "orders": draws})
        evaluate(tmp_path / str(len(found)), listener, options, [task or tiny.word_task()])
        found.append(listener.shown)
    plain, both = found
    assert both[: len(plain)] == plain
    return plain, both[len(plain) :]


@pytest.mark.parametrize("stress", ["sorted", "flipped", "abstract", "free"])
def test_a_stress_shows_the_same_inputs_as_the_plain_run(stress, tmp_path):
    plain, hard = shown_under(stress, tmp_path)
    assert len(plain) == len(hard) == 6
    for (_, a), (_, b) in zip(plain, hard, strict=True):
        inputs = [[e.input for e in few] for few in (a, b)]
        assert sorted(inputs[0]) == sorted(inputs[1])
        assert stress == "sorted" or inputs[0] == inputs[1]


def test_sorted_demonstrations_stand_in_one_block_a_label(tmp_path):
    _, hard = shown_under("sorted", tmp_path)
    for _, few in hard:
        labels = [e.output for e in few]
        assert sum(a != b for a, b in itertools.pairwise(labels)) == max(0, len(set(labels)) - 1)
    assert len({e.output for e in hard[-1][1]}) > 1


def test_the_last_label_of_sorted_demonstrations_is_not_always_the_same():
    task = tiny.word_task()
    assert len({stress_order(task, task.train, "sorted", 0, draw)[-1].output for draw in range(20)}) == 3


def test_flipped_labels_are_all_in_use_and_none_is_its_own():
    task = tiny.word_task()
    flipped = stress_task(task, "flipped")
    pools = ((task.train, flipped.train), (task.test, flipped.test))
    pairs = {(a.output, b.output) for pool in pools for a, b in zip(*pool, strict=True)}
    assert len(pairs) == 3
    assert all(a != b for a, b in pairs)
    assert {b for _, b in pairs} == set(task.labels) == set(flipped.labels)


def test_abstract_labels_say_nothing_of_the_task_and_keep_the_mapping():
    task = tiny.word_task()
    abstract = stress_task(task, "abstract")
    assert abstract.instruction == ""
    assert not {x.lower() for x in abstract.labels} & {x.lower() for x in task.labels}
    pairs = {(a.output, b.output) for a, b in zip(task.train, abstract.train, strict=True)}
    assert len(pairs) == len({b for _, b in pairs}) == 3
    assert all(label.isalpha() and label.isupper() for label in abstract.labels)


def test_hundreds_of_labels_and_letters_among_them_get_distinct_other_letters():
    letters = dataclasses.replace(tiny.word_task(), labels=("a", "B", *tiny.LABELS))
    assert not {"A", "B"} & set(stress_task(letters, "abstract").labels)
    many = dataclasses.replace(letters, labels=(*tiny.LABELS, *(f"intent {i}" for i in range(800))))
    assert len(set(stress_task(many, "abstract").labels)) == 803


def test_orders_are_permutations_of_the_first_draws_demonstrations(tmp_path):
    plain, hard = shown_under("order", tmp_path, draws=4)
    for i, (_, few) in enumerate(hard):
        _, first = plain[i % 3]
        assert sorted(few, key=repr) == sorted(first, key=repr)
        assert i >= 3 or few == first
    assert len({tuple(map(repr, few)) for _, few in hard if len(few) == 6}) == 4


def test_free_labels_are_generated(tmp_path):
    _, hard = shown_under("free", tmp_path)
    assert all(task.labels is None for task, _ in hard)


def test_the_plain_run_and_the_first_order_agree(scored):
    """The order of draw 0 is the plain one; its prefix was read in other pieces."""

    def of(method):
        return {(p.task, p.shots, p.query): p for p in read_predictions(scored) if p.method == method and p.draw == 0}

    plain, first = of("m"), of("m@order")
    assert plain.keys() == first.keys()
    for key, p in plain.items():
        assert p.prediction == first[key].prediction
        assert p.logprob == pytest.approx(first[key].logprob, abs=1e-3)


def test_exactly_the_cells_that_were_planned_are_scored(scored):
    assert {s.cell for s in read_scores(scored)} == cells_of("m", tasks(), OPTIONS)
    assert {s.method for s in read_scores(scored) if s.task == "copy"} == {"m", "m@order"}


def test_predictions_are_marked_by_what_the_model_was_shown(scored):
    task = tiny.word_task()
    for stress in ("flipped", "abstract"):
        hard = stress_task(task, stress)
        mine = [p for p in read_predictions(scored) if p.method == f"m@{stress}"]
        assert mine
        for p in mine:
            assert p.target == hard.test[p.query].output
            assert p.prediction in hard.labels
            assert p.correct == score_query("accuracy", p.prediction, p.target)


def test_an_interrupted_stress_goes_on_where_it_stopped(scored, tmp_path):
    class Stopped(Exception):  # noqa: N818
        pass

    class Log(CellLog):
        def add(self, score, predictions):
            super().add(score, predictions)
            if len(self.scores) == 20:
                raise Stopped

    with pytest.raises(Stopped):
        Benchmark(tasks(), OPTIONS, Log(tmp_path)).run("m", Reader(tiny.model("llama"), tiny.tokenizer()))
    evaluate(tmp_path)
    for name in ("scores.jsonl", "predictions.jsonl"):
        assert (tmp_path / name).read_bytes() == (scored / name).read_bytes()


def test_a_stress_leaves_the_plain_curves_alone_and_has_its_own_section(scored, tmp_path):
    plain = evaluate(tmp_path, options=OPTIONS.model_copy(update={"stress": []}))
    roles = dict.fromkeys(("words", "copy"), "held_out")
    summary, without = summarise(scored, roles, {}), summarise(plain, roles, {})
    stress = summary.pop("stress")
    assert summary == without
    assert set(stress["m"]) == set(STRESSES)
    assert stress["m"]["sorted"]["held_out"]["n_tasks"] == 1
    assert stress["m"]["order"]["held_out"]["n_tasks"] == 2


def test_the_stress_section_is_worked_from_the_scores(scored):
    found = summarise(scored, dict.fromkeys(("words", "copy"), "held_out"), {})["stress"]["m"]["flipped"]["held_out"]
    for k, point in found["shots"].items():
        by_method = {
            method: [s.score for s in read_scores(scored) if (s.method, s.task, str(s.shots)) == (method, "words", k)]
            for method in ("m", "m@flipped")
        }
        assert point["plain"] == pytest.approx(np.mean(by_method["m"]), abs=1e-6)
        assert point["stressed"] == pytest.approx(np.mean(by_method["m@flipped"]), abs=1e-6)
        assert point["difference"] == pytest.approx(point["stressed"] - point["plain"], abs=2e-6)
        assert point["plain_std"] == pytest.approx(np.std(by_method["m"], ddof=1), abs=1e-6)


def test_a_task_without_labels_is_not_stressed_by_them_and_that_is_said(tmp_path):
    lines = []
    evaluate(tmp_path, Listener(), OPTIONS.model_copy(update={"stress": ["sorted"]}), say=lines.append)
    assert any("m@sorted: not for 1 of 2 tasks" in line for line in lines)
    assert [can_stress(tiny.copy_task(), stress) for stress in STRESSES] == [False, False, False, True, False]


def test_only_the_name_of_a_stress_behind_an_at_sign_makes_a_stressed_method():
    assert (stressed("m@sorted"), unstressed("m@sorted")) == ("sorted", "m")
    for name in ("m", "user@host", "m@", "sorted", "m@sorted@x"):
        assert (stressed(name), unstressed(name)) == (None, name)


def test_retrieved_demonstrations_take_no_stress():
    with pytest.raises(ValueError, match="bm25"):
        EvaluationOptions(demonstrations="bm25", draws=1, stress=["sorted"])
