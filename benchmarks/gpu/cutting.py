"""The real suite cut to what is needed on a lent machine: capped training tasks without leaking rows, judged tasks whole."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from manyshot.errors import TaskError
from manyshot.files import write_json
from manyshot.seeds import generator
from manyshot.tasks import Task, drop_leaks, find_leaks, open_suite, refuse_leaks, save_task

JUDGED = ("dev", "core_held_out")
TEST_ROWS = 50


def cut_suite(
    source: Path,
    target: Path,
    say: Callable[[str], None],
    *,
    train: Sequence[str] = ("train",),
    judged: Sequence[str] = JUDGED,
    train_rows: int = 600,
    seed: int = 0,
) -> Path:
    """Write a suite of `train` tasks with at most `train_rows` rows each and of the `judged` tasks as they are.

    A leak check over the whole suite takes minutes, and every training repeats it. So rows that share texts with a judged
    task are left out here, once; the check of each training stays on and finds nothing. Raises LeakError for tasks that are
    made from the same texts, and TaskError where the target is there already.
    """
    if target.exists():
        raise TaskError(f"{target}: is there already; delete it to cut the suite anew")
    suite = open_suite(source)
    train_paths, judged_paths = suite.select(train), suite.select(judged)
    held = suite.load(judged_paths)
    tasks = [_capped(task, train_rows, seed) for task in suite.load(train_paths)]
    leaks = find_leaks(tasks, held, suite.text_groups())
    refuse_leaks([leak for leak in leaks if not leak.rows])
    kept = drop_leaks(tasks, leaks)
    n_dropped = sum(len(task.train) for task in tasks) - sum(len(task.train) for task in kept)
    say(f"{len(kept)} training tasks, {sum(len(t.train) for t in kept)} rows; {n_dropped} share texts and are left out")
    for path, task in zip((*train_paths, *judged_paths), (*kept, *held), strict=True):
        save_task(task, target / path)
    own = {*train_paths, *judged_paths}
    splits = {name: [p for p in paths if p in own] for name, paths in suite.splits.items()}
    # a judged task outside of dev keeps its part; eval_only tasks have none but their selection
    splits = {name: paths for name, paths in splits.items() if paths}
    groups = [[p for p in group if p in own] for group in suite.share_texts]
    write_json(target / "suite.json", {**splits, "share_texts": [group for group in groups if len(group) > 1]})
    return target


def _capped(task: Task, rows: int, seed: int) -> Task:
    """Return the task with at most `rows` training rows, drawn at random, and few test rows: it is trained on."""
    order = generator(seed, "cut", task.name).permutation(len(task.train))[:rows]
    return replace(task, train=[task.train[int(i)] for i in sorted(order)], test=list(task.test)[:TEST_ROWS])
