"""What a stage trains on and is guarded by: its rows, its probe, and the texts that a new tokenizer is trained on."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from manyshot.episodes import EpisodeDataset
from manyshot.errors import RecipeError, nearest
from manyshot.evaluation import Benchmark, EvaluationOptions
from manyshot.inference import Reader
from manyshot.models import load_tokenizer, train_tokenizer
from manyshot.models.soft_prompt import load_prompt
from manyshot.objectives import target_spans
from manyshot.recipe import Recipe, StageOptions
from manyshot.records import CellLog
from manyshot.seeds import derive
from manyshot.tasks import Chat, Corpus, Suite, Task, drop_leaks, find_leaks, open_corpus, open_suite, refuse_leaks
from manyshot.training import GuardOptions


def general_tasks(stage: StageOptions, chat: Chat | None = None) -> list[Task]:
    """Return the tasks that a stage mixes in beside its own, shown alike; none where its mix has no share for them."""
    place = stage.data.general
    if place is None or stage.data.mix.general == 0:
        return []
    suite = open_suite(place, chat=chat)
    # a suite's other splits are trained or judged on
    return suite.load(suite.select(["general"]) if set(suite.splits) != {"train"} else suite.paths)


def build_dataset(
    stage: StageOptions,
    tasks: Sequence[Task],
    tokenizer: Any,
    seed: int,
    n_rows: int | None = None,
    general: Sequence[Task] | None = None,
) -> EpisodeDataset:
    """Return the rows of a stage, their labels under its objective's scope.

    `general` is what is left of the stage's general tasks after a leak check; by default all of them.
    """

    def labels_of(ids: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        labels = np.full(len(ids), -100, np.int64)
        for start, end, _ in target_spans(bounds, stage.objective.scope):
            labels[start:end] = ids[start:end]
        return labels

    corpus: Corpus | None = open_corpus(stage.data.text) if stage.data.text else None
    return EpisodeDataset(
        tasks,
        tokenizer,
        stage.data.episodes,
        n_rows=n_rows,
        seed=derive(seed, "rows", stage.name),
        corpus=corpus,
        mix=stage.data.mix,
        general=general_tasks(stage) if general is None else general,
        labels_of=labels_of,
    )


def guard_tasks(guard: GuardOptions | None, suite: Suite, trained: Sequence[Task]) -> list[Task]:
    """Return the tasks that a guard probes. RecipeError for a task that is held out, or that is trained on."""
    if guard is None:
        return []
    paths = suite.select(guard.tasks)
    own = {task.name for task in trained}
    for path, task in zip(paths, suite.load(paths), strict=True):
        split = next((s for s in ("held_out", "near") if path in suite.splits.get(s, ())), None)
        if split or task.name in own:
            why = f"is in the split {split}, which must not steer" if split else "is trained on"
            raise RecipeError(f'training.guard.tasks: "{path}" {why}; name dev tasks')
    return suite.load(paths)


def build_probe(guard: GuardOptions, tasks: Sequence[Task], tokenizer: Any, seed: int) -> Callable[[Any], float]:
    """Return what a guard measures: a model's score less the floor at `guard.shots` demonstrations, mean over tasks."""
    options = EvaluationOptions(tasks=["*"], shots=[guard.shots], draws=guard.draws, limit=guard.limit)

    def probe(model: Any) -> float:
        with tempfile.TemporaryDirectory() as scratch:
            log = CellLog(scratch)
            Benchmark(tasks, options, log, seed=derive(seed, "guard")).run("probe", Reader(model, tokenizer))
        return float(np.mean([score.score - score.floor for score in log.scores]))

    return probe


def without_leaks(
    training: Mapping[str, list[Task]],
    held: Sequence[Task],
    groups: Any,
    how: str,
    say: Callable[[str], None],
) -> dict[str, list[Task]]:
    """Return training tasks, by stage, without what they share with tasks held out of them, as `suite.leaks` says.

    `groups` are tasks made from the same texts. Raises TaskError where something is shared and `how` is `error`, or where
    two tasks cannot be told apart by leaving rows out.
    """
    tasks = list({task.name: task for stage in training.values() for task in stage}.values())
    leaks = find_leaks(tasks, held, groups) if held and tasks else []
    if how == "error":
        refuse_leaks(leaks)
    for leak in leaks[:5]:
        say(f"shared texts: {leak}")
    if len(leaks) > 5:
        say(f"shared texts: and {len(leaks) - 5} more pairs of tasks")
    if how != "drop" or not leaks:
        return dict(training)
    refuse_leaks([leak for leak in leaks if not leak.rows])
    kept = {task.name: task for task in drop_leaks(tasks, leaks)}
    n = sum(len(t.train) for t in tasks) - sum(len(t.train) for t in kept.values())
    say(f"left out {n} training rows that share texts with judged tasks")
    return {name: [kept[task.name] for task in stage if task.name in kept] for name, stage in training.items()}


def refuse_missing_prompts(stages: Sequence[StageOptions], training: Mapping[str, list[Task]]) -> None:
    """Raise RecipeError where a stage's task is to stand behind the soft prompt of a source that has none for it.

    `training` are each stage's tasks by its name. A source is an earlier stage, which has a prompt for each of its tasks,
    or a folder.
    """
    known: dict[str, tuple[str, ...]] = {}
    for stage in stages:
        names, source = tuple(task.name for task in training[stage.name]), stage.tuning.soft_prompt_from
        known[stage.name] = names
        if source is None:
            continue
        there = known[source] if source in known else load_prompt(source).tasks
        if not there:
            # a prompt without a name is that of whatever task is read, and stays so
            known[stage.name] = ()
            continue
        missing = [name for name in names if name not in there]
        if missing:
            raise RecipeError(
                f'stage {stage.name}: tuning.soft_prompt_from "{source}" has no prompt for task "{missing[0]}"'
                f"{nearest(missing[0], there)}; train it there too, or leave it out of data.tasks"
            )


def recipe_texts(recipe: Recipe) -> Iterator[str]:
    """Yield texts to train a tokenizer on, tasks and prose in turn, so that a limit cuts all alike."""
    suite = open_suite(recipe.suite.path, chat=recipe.suite.chat)
    paths = dict.fromkeys(p for s in recipe.stages if s.data.mix.text < 1 for p in suite.select(s.data.tasks))
    streams: list[Iterator[str]] = [iter(open_corpus(s.data.text).documents) for s in recipe.stages if s.data.text]
    streams += [_rendered(task) for task in suite.load(paths)]
    while streams:
        for stream in list(streams):
            text = next(stream, None)
            if text is None:
                streams.remove(stream)
            else:
                yield text


def _rendered(task: Task) -> Iterator[str]:
    template = task.template
    for e in task.train:
        yield template.render_prompt(e.input) + template.render_answer(e.output) + template.stop


def recipe_tokenizer(recipe: Recipe, path: str | None = None) -> Any:
    """Return the tokenizer that a recipe's rows are made with; one from scratch is trained as the run would."""
    if path is not None or recipe.model.scratch is None:
        return load_tokenizer(path or str(recipe.model.path), recipe.model)
    return train_tokenizer(recipe_texts(recipe), recipe.model.scratch.vocabulary, recipe.model.scratch.tokenizer_bytes)
