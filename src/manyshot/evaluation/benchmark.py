"""Benchmark: tasks x shots x draws for one model, cell by cell into a run folder, resumed where it stopped."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from manyshot.episodes import draw_demonstrations, draw_queries, is_recall
from manyshot.errors import EvaluationError
from manyshot.evaluation.options import EvaluationOptions
from manyshot.evaluation.stress import ORDER, SORTED, can_stress, stress_name, stress_order, stress_task
from manyshot.inference import Answer, Backend, PrimedTask, Reader, Retriever, balanced_demonstrations
from manyshot.records import CellLog, Prediction, Score
from manyshot.tasks import Example, Task
from manyshot.tasks.metrics import floor_score, score_cell, score_query

# log-probabilities of the same answer, read off the cache and read from the start, in nats
AGREEMENT_NATS = {torch.float32: 1e-4, torch.float64: 1e-6}
AGREEMENT_NATS_HALF = 0.5
BOUNDARY_LIMIT = 0.01
_CHECKED_TASKS, _CHECKED_QUERIES = 3, 2


@dataclass(frozen=True, slots=True)
class _Plan:
    """One task's queries, with what they cost."""

    task: Task
    """As the model sees it."""
    source: Task
    """As it is: demonstrations are chosen from it, so that a stress shows the same ones."""
    queries: list[int]
    prompt_tokens: int
    answer_tokens: int
    floor: float


class Benchmark:
    """Scores one model after another on the same tasks, queries and demonstrations.

    Demonstrations are fixed by (seed, task, draw) and nested in the number of shots, so every method sees the same ones
    and a curve over shots costs one reading of its longest prefix. A few queries of each run are read again without the
    cache; EvaluationError when the two readings disagree. Stressed scores follow, under methods of their own.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        options: EvaluationOptions,
        log: CellLog,
        *,
        seed: int = 0,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.tasks, self.options, self.log, self.seed, self.say = tasks, options, log, seed, say
        for task in tasks:
            if not task.test:
                raise EvaluationError(f'task "{task.name}" has no test examples; add test.jsonl to its folder')

    def run(
        self, method: str, reader: Backend, *, check_boundaries: bool = False, draws: Sequence[int] | None = None
    ) -> int:
        """Score every cell of `method` that is not yet in the log; return the number of tokens read.

        `draws` are the numbers of the choices of demonstrations, all of `options.draws` unless given.
        `check_boundaries` stops on a tokenizer that joins a template's pieces into other tokens: right for a model that
        was not trained here, whose training text had no such seams.
        """
        if isinstance(reader, Reader) and reader.why_not_branched:
            self.say(f"{method}: prefixes are read again for every query, {reader.why_not_branched}")
        draws = range(self.options.draws) if draws is None else draws
        tokens = self._run_tasks(method, None, self.tasks, reader, draws, check_boundaries=check_boundaries)
        for stress in self.options.stress:
            able = [task for task in self.tasks if can_stress(task, stress)]
            if len(able) < len(self.tasks):
                n = len(self.tasks) - len(able)
                self.say(f"{stress_name(method, stress)}: not for {n} of {len(self.tasks)} tasks, which have no labels")
            # draws of orders are orders of the first draw's demonstrations
            orders = range(self.options.orders) if 0 in draws else ()
            tokens += self._run_tasks(
                stress_name(method, stress), stress, able, reader, orders if stress == ORDER else draws
            )
        return tokens

    def _run_tasks(
        self,
        method: str,
        stress: str | None,
        tasks: Sequence[Task],
        reader: Backend,
        draws: Sequence[int],
        *,
        check_boundaries: bool = False,
    ) -> int:
        tokens = 0
        checked = _spread(len(tasks), _CHECKED_TASKS)
        for number, task in enumerate(tasks):
            if all(self._done(method, task, k, d) for k in self.options.shots for d in draws):
                continue
            if check_boundaries and isinstance(reader, Reader):
                self._check_boundary(task, reader)
            if is_recall(task):
                self.say(f"{task.name}: its inputs come again and again; queries may stand among their demonstrations")
            plan = self._plan(task if stress is None else stress_task(task, stress, self.seed), task, reader)
            for draw in draws:
                if stress in (SORTED, ORDER):
                    tokens += self._run_arranged(method, plan, reader, draw, stress)
                else:
                    tokens += self._run_draw(method, plan, reader, draw, check=number in checked and draw == draws[0])
            means = [np.mean([s.score for s in self._scores(method, task, k)]) for k in self.options.shots]
            curve = "  ".join(f"{k}: {mean:.3f}" for k, mean in zip(self.options.shots, means, strict=True))
            self.say(f"{method}  {task.name}  {plan.task.metric} by shots [{curve}]  floor {plan.floor:.3f}")
        return tokens

    def _done(self, method: str, task: Task, shots: int, draw: int) -> bool:
        return (method, task.name, shots, draw) in self.log.done

    def _scores(self, method: str, task: Task, shots: int) -> list[Score]:
        return [s for s in self.log.scores if (s.method, s.task, s.shots) == (method, task.name, shots)]

    def _plan(self, task: Task, source: Task, reader: Backend) -> _Plan:
        queries = draw_queries(task, self.options.limit, self.seed)
        lengths = reader.prompt_lengths(task, [task.test[q].input for q in queries])
        if task.labels is not None:
            answer_tokens = max(reader.answer_lengths(task, task.labels))
        else:
            answer_tokens = self.options.max_new_tokens or _longest_answer(task, reader)
        if reader.window is not None:
            room = reader.window - reader.header_length(task) - answer_tokens
            fits = lengths <= room
            if not fits.any():
                raise EvaluationError(
                    f'task "{task.name}": no query fits the model\'s {reader.window} tokens; leave the task out'
                )
            if not fits.all():
                self.say(
                    f"{task.name}: {int((~fits).sum())} of {len(queries)} queries are longer than the model reads; left out"
                )
            queries = [q for q, ok in zip(queries, fits, strict=True) if ok]
            lengths = lengths[fits]
        targets = [task.test[q].output for q in queries]
        floor = floor_score(task.metric, task.labels, targets)
        return _Plan(task, source, queries, int(lengths.max()), int(answer_tokens), floor)

    def _run_draw(self, method: str, plan: _Plan, reader: Backend, draw: int, *, check: bool) -> int:
        task, shots = plan.task, self.options.shots
        if self.options.demonstrations == "bm25":
            return self._run_retrieved(method, plan, reader, draw)
        demonstrations = self._demonstrations(plan, draw)
        capacity = _capacity(plan, reader, demonstrations)
        primed = self._prime(task, reader)
        answers: list[Answer] = []
        for k in shots:
            actual = min(k, capacity)
            fresh = actual > primed.n_shots or not answers
            # also for a cell that is done: a resumed prefix is read in the same pieces, so that roundings agree
            primed.add(demonstrations[primed.n_shots : actual])
            if self._done(method, task, k, draw):
                answers = []
                continue
            if check and isinstance(primed, PrimedTask) and (actual > 0 or k == shots[-1]):
                self._check_cache(primed, plan)
                check = False
            if fresh:
                answers = self._answer(primed, plan)
            self._record(method, plan, k, actual, draw, answers)
        return primed.tokens_computed

    def _demonstrations(self, plan: _Plan, draw: int) -> list[Example]:
        balanced = self.options.demonstrations == "balanced" and plan.source.labels is not None
        choose = balanced_demonstrations if balanced else draw_demonstrations
        return [plan.task.train[i] for i in choose(plan.source, max(self.options.shots), self.seed, draw)]

    def _run_arranged(self, method: str, plan: _Plan, reader: Backend, draw: int, stress: str) -> int:
        """Score each number of shots behind the plain run's demonstrations in another order, none a part of the next one.

        Under `order` a draw is an order of the first draw's demonstrations.
        """
        demonstrations = self._demonstrations(plan, 0 if stress == ORDER else draw)
        capacity = _capacity(plan, reader, demonstrations)
        tokens = 0
        for k in self.options.shots:
            if self._done(method, plan.task, k, draw):
                continue
            actual = min(k, capacity)
            primed = self._prime(plan.task, reader)
            primed.add(stress_order(plan.task, demonstrations[:actual], stress, self.seed, draw))
            self._record(method, plan, k, actual, draw, self._answer(primed, plan))
            tokens += primed.tokens_computed
        return tokens

    def _run_retrieved(self, method: str, plan: _Plan, reader: Backend, draw: int) -> int:
        """Score queries each behind its own most similar demonstrations."""
        task = plan.task
        retriever = Retriever(task)
        inputs = [task.test[q].input for q in plan.queries]
        primed = self._prime(task, reader)
        for k in self.options.shots:
            if self._done(method, task, k, draw):
                continue
            few = [[task.train[i] for i in row] for row in retriever.retrieve(inputs, k)]
            few = [row[len(row) - _capacity(plan, reader, row[::-1]) :] for row in few]
            answers = primed.answer(inputs, max_new_tokens=plan.answer_tokens, demonstrations=few)
            self._record(method, plan, k, min(map(len, few), default=0), draw, answers)
        return primed.tokens_computed

    def _prime(self, task: Task, reader: Backend) -> Any:
        return reader.prime(task, scoring=self.options.scoring, score_stop=self.options.score_stop)

    def _answer(self, primed: Any, plan: _Plan, n_queries: int | None = None, n_tokens: int = 1 << 30) -> list[Answer]:
        inputs = [plan.task.test[q].input for q in plan.queries[:n_queries]]
        return primed.answer(inputs, max_new_tokens=min(plan.answer_tokens, n_tokens))

    def _record(self, method: str, plan: _Plan, k: int, actual: int, draw: int, answers: Sequence[Answer]) -> None:
        task = plan.task
        predictions = []
        for query, answer in zip(plan.queries, answers, strict=True):
            target = task.test[query].output
            correct = score_query(task.metric, answer.output, target)
            logprob = round(answer.logprob, 4)
            predictions.append(
                Prediction(method, task.name, k, actual, draw, query, answer.output, target, round(correct, 6), logprob)
            )
        score = score_cell(
            task.metric,
            [p.prediction for p in predictions],
            [p.target for p in predictions],
            [p.correct for p in predictions],
        )
        row = Score(
            method,
            task.name,
            task.family,
            task.metric,
            k,
            actual,
            draw,
            len(predictions),
            round(score, 6),
            round(plan.floor, 6),
        )
        self.log.add(row, predictions)

    def _check_cache(self, primed: PrimedTask, plan: _Plan) -> None:
        """Read a few queries again from the start, and stop when an answer's log-probability is another one."""
        if not primed.reader.cached:
            return
        kept = self._answer(primed, plan, _CHECKED_QUERIES, n_tokens=4)
        fresh = self._answer(primed.without_cache(), plan, _CHECKED_QUERIES, n_tokens=4)
        allowed = AGREEMENT_NATS.get(primed.reader.model.dtype, AGREEMENT_NATS_HALF)
        for query, a, b in zip(plan.queries, kept, fresh, strict=False):
            difference = abs(a.logprob - b.logprob)
            # equally likely answers may change places
            if not difference <= allowed * max(1.0, abs(b.logprob)):
                raise EvaluationError(
                    f'task "{plan.task.name}", query {query}: with {primed.n_shots} shots "{a.output}" has log-probability '
                    f'{a.logprob:.5f} off the cache and "{b.output}" {b.logprob:.5f} read from the start, {allowed} nats '
                    "apart are allowed; evaluate with attn_implementation eager, or report this model"
                )

    def _check_boundary(self, task: Task, reader: Reader) -> None:
        share = reader.encoder.boundary_mismatch(task)
        if share > BOUNDARY_LIMIT:
            raise EvaluationError(
                f'task "{task.name}": in {share:.0%} of its examples the tokenizer joins pieces of the template into other '
                "tokens than the model knows from whole text; change the template's spaces and line ends at the seams"
            )


def cells_of(method: str, tasks: Sequence[Task], options: EvaluationOptions) -> set[tuple[str, str, int, int]]:
    """Return every (method, task, shots, draw) that a benchmark scores of a method, stressed ones included."""
    cells = {(method, task.name, k, d) for task in tasks for k in options.shots for d in range(options.draws)}
    for stress in options.stress:
        name, draws = stress_name(method, stress), options.orders if stress == ORDER else options.draws
        able = [task.name for task in tasks if can_stress(task, stress)]
        cells |= {(name, task, k, d) for task in able for k in options.shots for d in range(draws)}
    return cells


def _capacity(plan: _Plan, reader: Backend, demonstrations: Sequence[Example]) -> int:
    """Return how many of the demonstrations fit the window before the longest query with its answer."""
    if reader.window is None or not demonstrations:
        return len(demonstrations)
    lengths = reader.example_lengths(plan.task, demonstrations)
    header = reader.header_length(plan.task)
    room = reader.window - header - plan.prompt_tokens - plan.answer_tokens
    return int(np.searchsorted(np.cumsum(lengths), room, side="right"))


def _longest_answer(task: Task, reader: Backend, n_examples: int = 200) -> int:
    outputs = [e.output for e in task.train[:n_examples]]
    longest = int(reader.answer_lengths(task, outputs).max())
    # a byte-level token is three bytes or more of plain text
    return min(256, int(1.25 * (longest or max(len(o.encode()) for o in outputs) / 3)) + 2)


def _spread(n: int, k: int) -> set[int]:
    """Return k numbers below n, far apart."""
    return {round(i * (n - 1) / max(1, k - 1)) for i in range(k)} if n else set()
