"""The benchmark on tiny models: what it records follows from the predictions, cache or not, interrupted or not."""

import dataclasses

import numpy as np
import pytest
import torch

from manyshot.episodes import draw_demonstrations
from manyshot.errors import EvaluationError
from manyshot.evaluation import Benchmark, EvaluationOptions, summarise
from manyshot.inference import Prefix, PrimedTask, Reader
from manyshot.inference.masks import MaskForm
from manyshot.records import PREDICTIONS, SCORES, CellLog, read_predictions, read_scores
from manyshot.tasks import Example, Task
from manyshot.tasks.metrics import floor_score, score_cell, score_query
from tests import tiny

OPTIONS = EvaluationOptions(shots=[0, 2, 8], draws=2, limit=6, max_new_tokens=6)


def tasks():
    return [tiny.word_task(), tiny.copy_task()]


def evaluate(folder, model=None, *, options=OPTIONS, the_tasks=None, cached=None, say=lambda line: None, method="base"):
    """Run a benchmark into a folder; return it, with its files sorted."""
    reader = Reader(model or tiny.model("llama"), tiny.tokenizer(), cached=cached)
    log = CellLog(folder)
    Benchmark(the_tasks or tasks(), options, log, say=say).run(method, reader)
    log.finish()
    return folder


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    return evaluate(tmp_path_factory.mktemp("scored"))


def contents(folder):
    return {name: (folder / name).read_bytes() for name in (PREDICTIONS, SCORES)}


def without_logprob(predictions):
    return [dataclasses.replace(p, logprob=0.0) for p in predictions]


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gemma3"])
def test_cached_and_reencoded_reading_give_the_same_predictions(architecture, tmp_path):
    model = tiny.model(architecture)
    kept, fresh = (read_predictions(evaluate(tmp_path / str(cached), model, cached=cached)) for cached in (True, False))
    assert without_logprob(kept) == without_logprob(fresh)
    assert [p.logprob for p in kept] == pytest.approx([p.logprob for p in fresh], abs=1e-3)


def test_every_cell_has_a_score_and_every_query_a_prediction(scored):
    scores, predictions = read_scores(scored), read_predictions(scored)
    cells = {("base", task.name, k, d) for task in tasks() for k in OPTIONS.shots for d in range(OPTIONS.draws)}
    assert {score.cell for score in scores} == cells
    assert len(scores) == len(cells)
    assert len(predictions) == len(cells) * OPTIONS.limit


def test_scores_follow_from_the_predictions(scored):
    test = {task.name: task.test for task in tasks()}
    for score in read_scores(scored):
        mine = [p for p in read_predictions(scored) if p.cell == score.cell]
        assert [p.target for p in mine] == [test[score.task][p.query].output for p in mine]
        correct = [score_query(score.metric, p.prediction, p.target) for p in mine]
        assert [p.correct for p in mine] == pytest.approx(correct, abs=1e-6)
        expected = score_cell(score.metric, [p.prediction for p in mine], [p.target for p in mine], correct)
        assert (score.n, score.score) == (len(mine), pytest.approx(expected, abs=1e-6))


def test_floors_are_those_of_the_queries_asked(scored):
    task = tiny.word_task()
    for score in read_scores(scored):
        targets = [p.target for p in read_predictions(scored) if p.cell == score.cell]
        labels = task.labels if score.task == task.name else None
        assert score.floor == pytest.approx(floor_score(score.metric, labels, targets), abs=1e-6)


def test_every_draw_and_shot_count_asks_the_same_queries(scored):
    for task in tasks():
        asked = {}
        for p in read_predictions(scored):
            if p.task == task.name:
                asked.setdefault(p.cell, []).append(p.query)
        assert len({tuple(queries) for queries in asked.values()}) == 1


def test_a_labels_log_probability_is_the_models_own(scored):
    """Prompt, demonstrations and label put together by hand and read in one go, at 2 shots."""
    model, task, tokenizer = tiny.model("llama"), tiny.word_task(), tiny.tokenizer()

    def ids_of(text):
        return tokenizer(text).input_ids

    template = task.template
    shown = [task.train[i] for i in draw_demonstrations(task, 2, 0, 1)]
    prefix = ids_of(template.render_header(task.instruction))
    for example in shown:
        prefix += ids_of(template.render_prompt(example.input))
        prefix += ids_of(template.render_answer(example.output)) + ids_of(template.stop)
    for p in [p for p in read_predictions(scored) if p.cell == ("base", task.name, 2, 1)]:
        asked = prefix + ids_of(template.render_prompt(task.test[p.query].input))
        logprobs = {}
        for label in task.labels:
            answer = ids_of(template.render_answer(label)) + ids_of(template.stop)
            with torch.no_grad():
                table = model(torch.tensor([asked + answer])).logits[0].log_softmax(-1)
            logprobs[label] = sum(table[len(asked) - 1 + t, token].item() for t, token in enumerate(answer))
        assert p.prediction == max(logprobs, key=logprobs.get)
        assert p.logprob == pytest.approx(logprobs[p.prediction], abs=1e-3)


@pytest.mark.parametrize("draw", [0, 1, 2])
def test_demonstrations_are_nested(draw):
    task = tiny.word_task()
    longest = draw_demonstrations(task, 32, 0, draw)
    assert all(draw_demonstrations(task, k, 0, draw) == longest[:k] for k in (0, 1, 4, 16))
    assert len(set(longest)) == 32


def test_draws_differ_and_do_not_depend_on_other_tasks():
    task = tiny.word_task()
    assert draw_demonstrations(task, 8, 0, 0) != draw_demonstrations(task, 8, 0, 1)
    assert draw_demonstrations(task, 8, 0, 0) != draw_demonstrations(task, 8, 1, 0)
    assert draw_demonstrations(task, 8, 0, 0) == draw_demonstrations(tiny.word_task(), 8, 0, 0)


def test_no_query_stands_among_its_demonstrations():
    base = tiny.word_task()
    leaky = dataclasses.replace(base, train=[*base.train, *base.test])
    shown = [leaky.train[i].input for i in draw_demonstrations(leaky, 1000, 0, 0)]
    assert len(shown) == len(base.train)
    assert not {e.input for e in leaky.test} & set(shown)


def test_the_order_of_the_queries_changes_nothing(tmp_path):
    task = tiny.word_task()
    order = np.random.default_rng(0).permutation(len(task.test)).tolist()
    shuffled = dataclasses.replace(task, test=[task.test[i] for i in order])
    options = OPTIONS.model_copy(update={"limit": None})
    a = read_predictions(evaluate(tmp_path / "a", the_tasks=[task], options=options))
    b = read_predictions(evaluate(tmp_path / "b", the_tasks=[shuffled], options=options))
    by_query = {(p.cell, p.query): p for p in a}
    for p in b:
        other = by_query[p.cell, order[p.query]]
        assert (p.prediction, p.target) == (other.prediction, other.target)
        assert p.logprob == pytest.approx(other.logprob, abs=2e-4)


def test_the_number_of_queries_in_a_row_changes_nothing(tmp_path, monkeypatch):
    import manyshot.inference.primed as primed

    together = read_predictions(evaluate(tmp_path / "together"))
    monkeypatch.setattr(primed, "MIN_ROW_TOKENS", 1)
    monkeypatch.setattr(primed, "MAX_ROW_TOKENS", 1)
    alone = read_predictions(evaluate(tmp_path / "alone"))
    assert without_logprob(together) == without_logprob(alone)
    assert [p.logprob for p in together] == pytest.approx([p.logprob for p in alone], abs=2e-4)


def test_a_second_run_of_the_same_thing_leaves_the_same_bytes(scored, tmp_path):
    assert contents(evaluate(tmp_path)) == contents(scored)


class Interrupted(Exception):  # noqa: N818
    """Not one of ours: the process ends."""


def interrupt(folder, after, monkeypatch, **fields):
    """Run until `after` cells are on disk."""
    add = CellLog.add

    def add_and_end(self, score, predictions):
        add(self, score, predictions)
        if len(self.scores) == after:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(CellLog, "add", add_and_end)
        with pytest.raises(Interrupted):
            evaluate(folder, **fields)


@pytest.mark.parametrize("after", [1, 2, 3, 4, 7, 11])
def test_interrupted_and_resumed_leaves_the_same_bytes(after, scored, tmp_path, monkeypatch):
    interrupt(tmp_path, after, monkeypatch)
    assert len(read_scores(tmp_path)) == after
    assert contents(evaluate(tmp_path)) == contents(scored)


@pytest.mark.parametrize("after", [1, 2])
def test_interrupted_within_a_draw_leaves_the_same_bytes_in_bf16(after, tmp_path, monkeypatch):
    """A prefix read in other steps is rounded otherwise; in bf16 every digit that is recorded shows it."""
    options = OPTIONS.model_copy(update={"draws": 1})

    def fields():
        return {"model": tiny.model("llama").to(torch.bfloat16), "options": options, "the_tasks": [tiny.word_task()]}

    whole = evaluate(tmp_path / "whole", **fields())
    interrupt(tmp_path / "torn", after, monkeypatch, **fields())
    assert contents(evaluate(tmp_path / "torn", **fields())) == contents(whole)


def test_a_kill_between_predictions_and_score_leaves_the_same_bytes(scored, tmp_path, monkeypatch):
    interrupt(tmp_path, 3, monkeypatch)
    whole = contents(scored)[PREDICTIONS].decode().splitlines(keepends=True)
    with (tmp_path / PREDICTIONS).open("a") as file:
        # a fourth cell without its score, its last line cut off
        file.writelines(whole[3 * OPTIONS.limit : 4 * OPTIONS.limit - 1])
        file.write(whole[4 * OPTIONS.limit - 1][:25])
    assert contents(evaluate(tmp_path)) == contents(scored)


def test_what_is_done_is_not_done_again(scored, tmp_path, monkeypatch):
    import shutil

    shutil.copytree(scored, tmp_path / "copy")
    monkeypatch.setattr(Reader, "prime", lambda *args: pytest.fail("read again"))
    assert contents(evaluate(tmp_path / "copy")) == contents(scored)


def test_two_methods_share_a_folder(scored, tmp_path):
    evaluate(tmp_path, tiny.model("llama", seed=3), method="other")
    evaluate(tmp_path)
    assert [s for s in read_scores(tmp_path) if s.method == "base"] == read_scores(scored)
    assert {s.method for s in read_scores(tmp_path)} == {"base", "other"}


def test_a_mask_that_lets_queries_see_each_other_is_caught(tmp_path, monkeypatch):
    build = MaskForm.build

    def leaking(self, visible, query_positions, key_positions, dtype):
        seen = torch.ones_like(visible)
        return build(self, seen, query_positions, key_positions, dtype)

    monkeypatch.setattr(MaskForm, "build", leaking)
    with pytest.raises(EvaluationError, match="off the cache"):
        evaluate(tmp_path, cached=True)


def test_a_cache_that_holds_other_values_is_caught(tmp_path, monkeypatch):
    read = Prefix._read

    def spoiling(self):
        n_read = self._n_read
        cache = read(self)
        if self._n_read > n_read:
            with torch.inference_mode():
                cache.layers[0].values.mul_(1.1)
        return cache

    monkeypatch.setattr(Prefix, "_read", spoiling)
    with pytest.raises(EvaluationError, match=r'task "words".*off the cache'):
        evaluate(tmp_path, cached=True)


def test_a_model_that_cannot_be_branched_is_read_again_for_every_query_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(PrimedTask, "without_cache", lambda self: pytest.fail("nothing to check"))
    said = []
    options = OPTIONS.model_copy(update={"draws": 1})
    folder = evaluate(tmp_path, tiny.model("mamba2"), options=options, the_tasks=[tiny.word_task()], say=said.append)
    assert any("read again for every query" in line for line in said)
    assert len(read_scores(folder)) == 3


def test_a_window_shorter_than_the_shots_is_recorded_and_has_its_own_curve(tmp_path):
    model = tiny.model("llama")
    model.config.max_position_embeddings = 200
    small = Task(
        "small",
        "qa",
        "",
        "accuracy",
        ("a", "b"),
        train=[Example("x", "a"), Example("y", "b")] * 20,
        test=[Example("z", "a"), Example("w", "b")],
    )
    options = EvaluationOptions(shots=[0, 4, 16], draws=2)
    folder = evaluate(tmp_path, model, options=options, the_tasks=[tiny.word_task(), small])
    reader = Reader(model, tiny.tokenizer())
    for score in read_scores(folder):
        assert score.actual_shots <= score.shots
        if score.task == "words" and score.shots == 16:
            assert 4 <= score.actual_shots < 16
    # as many as fit, and not one less
    task, encoder = tiny.word_task(), reader.encoder
    for draw in (0, 1):
        shown = [task.train[i] for i in draw_demonstrations(task, 16, 0, draw)]
        lengths = encoder.examples(task, shown).lengths
        need = len(encoder.header(task)) + int(encoder.prompts(task, [e.input for e in task.test]).lengths.max())
        need += int(encoder.answers(task, task.labels).lengths.max())
        fits = max(k for k in range(17) if need + lengths[:k].sum() <= 200)
        actual = {s.actual_shots for s in read_scores(folder) if (s.task, s.shots, s.draw) == ("words", 16, draw)}
        assert actual == {fits}
    summary = summarise(folder, {"words": "held_out", "small": "held_out"}, {})
    assert list(summary["methods"]["base"]["held_out_to_4"]) == ["0", "4"]
    assert list(summary["methods"]["base"]["held_out"]) == ["0", "4", "16"]
    assert summary["n_tasks"] == {"held_out": 1, "held_out_to_4": 1}


def test_a_pool_smaller_than_the_shots_is_recorded(tmp_path):
    task = tiny.word_task(n_train=5)
    folder = evaluate(tmp_path, the_tasks=[task], options=EvaluationOptions(shots=[4, 8], draws=1))
    assert {(s.shots, s.actual_shots) for s in read_scores(folder)} == {(4, 4), (8, 5)}


def test_queries_longer_than_the_window_are_left_out_and_said(tmp_path):
    model = tiny.model("llama")
    model.config.max_position_embeddings = 120
    base = tiny.word_task()
    task = dataclasses.replace(base, test=[*base.test[:3], Example("apple " * 200, "north")])
    said = []
    folder = evaluate(tmp_path, model, the_tasks=[task], options=EvaluationOptions(shots=[0], draws=1), say=said.append)
    assert [p.query for p in read_predictions(folder)] == [0, 1, 2]
    assert any(line.startswith("words: 1 of 4 queries are longer") for line in said)


def test_a_task_none_of_whose_queries_fits_is_named(tmp_path):
    model = tiny.model("llama")
    model.config.max_position_embeddings = 120
    task = dataclasses.replace(tiny.word_task(), test=[Example("apple " * 200, "north")])
    with pytest.raises(EvaluationError, match='task "words": no query fits'):
        evaluate(tmp_path, model, the_tasks=[task])


def test_a_task_without_test_examples_is_named(tmp_path):
    task = dataclasses.replace(tiny.word_task(), test=[])
    with pytest.raises(EvaluationError, match=r'task "words" has no test examples; add test\.jsonl'):
        Benchmark([tiny.copy_task(), task], OPTIONS, CellLog(tmp_path))


def test_a_tokenizer_that_joins_the_templates_pieces_is_refused_for_a_foreign_model(tmp_path):
    from manyshot.tasks import Template

    # " north" is one piece of the tokenizer, and two when the seam is kept
    task = dataclasses.replace(tiny.word_task(), template=Template(prompt="{input} nor", answer="th{output}"))
    reader = Reader(tiny.model("llama"), tiny.tokenizer())
    with pytest.raises(EvaluationError, match='task "words": in 100%'):
        Benchmark([task], OPTIONS, CellLog(tmp_path)).run("base", reader, check_boundaries=True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"shots": []}, "at least one number of shots"),
        ({"shots": [-1]}, "none below 0"),
        ({"draws": 0}, "greater than or equal to 1"),
        ({"demonstrations": "bm25", "draws": 2}, "set draws to 1"),
    ],
)
def test_options_that_ask_for_nothing_sensible_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        EvaluationOptions(**fields)


def test_shots_are_put_in_order():
    assert EvaluationOptions(shots=[16, 0, 4, 4]).shots == [0, 4, 16]


def test_a_real_model_sees_more_of_a_label_task_with_more_shots(shared, tmp_path):
    """Not a claim about quality: the log-probability of the right kind of answer rises with examples of it."""
    from manyshot.models import load_model

    loaded = load_model(shared / "models" / "stories260K")
    reader = Reader(loaded.model, loaded.tokenizer)
    log = CellLog(tmp_path)
    options = EvaluationOptions(shots=[0, 6], draws=1, limit=6)
    task = tiny.word_task()
    Benchmark([task], options, log).run("base", reader)
    log.finish()
    mean = {k: np.mean([p.logprob for p in read_predictions(tmp_path) if p.shots == k]) for k in (0, 6)}
    assert mean[6] > mean[0] + 1
