"""Rows are answered by their rule, balanced, new in each split, and the same alone or among others."""

from collections import Counter
from dataclasses import replace

import pytest

from manyshot.tasks import Example
from manyshot.tasks.builtin import Binding, BuiltinTask, bind, build_tasks, draw_row, make_task
from manyshot.tasks.builtin.lexicon import PARTS

TASKS = build_tasks()
BY_RULE = {(task.rule.name, task.part): task for task in TASKS}


def rows(task: BuiltinTask, n: int = 200, seed: int = 0, split="train") -> list[Example]:
    return [draw_row(task, seed, split, i) for i in range(n)]


def rivals(task: BuiltinTask) -> list[Binding]:
    """Bindings that the same instruction would allow."""
    variants = [bind(task.rule, task.part, place, variant) for place in range(3) for variant in range(2)]
    numbers = {number for part in PARTS for number in task.rule.numbers.get(part, ())}
    return [*variants, *(replace(task.binding, number=number) for number in numbers)]


@pytest.mark.parametrize("part", PARTS)
def test_the_rule_read_off_the_text_answers_every_row(part):
    for task in TASKS:
        if task.part == part:
            wrong = [e for e in rows(task) if task.rule.solve(e.input, task.binding) != e.output]
            assert not wrong, f"{task.name}: {wrong[:3]}"


def test_every_label_is_as_frequent_as_the_others():
    for task in TASKS:
        if n := task.rule.n_labels:
            counts = Counter(e.output for e in rows(task, 60, split="test"))
            assert set(counts) == set(task.binding.labels), task.name
            assert set(counts.values()) == {60 // n}, task.name
            assert 1 / n < 0.6


def test_no_free_answer_is_the_answer_to_most_rows():
    for task in BY_RULE.values():
        if not task.rule.n_labels:
            (_, most), *_ = Counter(e.output for e in rows(task)).most_common(1)
            assert most <= 0.45 * 200, f"{task.name}: {most}"


def test_inputs_seldom_repeat():
    for task in BY_RULE.values():
        assert len({e.input for e in rows(task)}) >= 150, task.name


def test_training_and_test_rows_share_no_input_whatever_their_seeds():
    for task in BY_RULE.values():
        train = {e.input for seed in (0, 1) for e in rows(task, 100, seed)}
        assert not train & {e.input for e in rows(task, 50, 1, "test")}, task.name


def test_a_row_is_the_same_alone_and_among_others():
    for task in BY_RULE.values():
        whole = make_task(task, 30, 10, seed=5)
        assert draw_row(task, 5, "train", 29) == whole.train[29]
        assert draw_row(task, 5, "test", 7) == whole.test[7]
        assert make_task(task, 12, 3, seed=5).train == whole.train[:12]


def test_another_seed_gives_other_rows():
    for task in BY_RULE.values():
        assert rows(task, 20, seed=0) != rows(task, 20, seed=1), task.name


def test_where_demonstrations_are_needed_the_instruction_is_the_same_for_other_answers():
    for task in TASKS:
        if not task.rule.needs_demonstrations:
            continue
        inputs = [e.input for e in rows(task, 20)]
        answers = set()
        for binding in (task.binding, *rivals(task)):
            # a rival that speaks of other kinds has no answer to these inputs
            if set(binding.kinds) == set(task.binding.kinds):
                assert replace(task, binding=binding).instruction == task.instruction
                answers.add(tuple(task.rule.solve(text, binding) for text in inputs))
        assert len(answers) > 1, task.name


def test_where_demonstrations_are_needed_no_label_or_kind_stands_in_instruction_or_prompt():
    for task in TASKS:
        if task.rule.needs_demonstrations:
            frame = task.surface.frame
            said = f"{task.instruction} {frame.header} {frame.prompt}".casefold()
            hidden = {*task.binding.labels, *task.binding.kinds}
            assert not [word for word in hidden if word in said], task.name
            assert not [word for word in task.binding.labels for e in rows(task, 20) if word in e.input.split()]


def test_where_no_demonstrations_are_needed_the_instruction_names_every_label():
    for task in TASKS:
        if not task.rule.needs_demonstrations:
            assert [label for label in task.binding.labels if label not in task.instruction] == []


def test_twins_train_under_one_wording_with_contradicting_answers():
    train = {task.name: task for task in TASKS if task.part == "train" and task.rule.has_bindings}
    assert len(train) >= 100
    for name, task in train.items():
        rule, _, number = name.rpartition("_")
        if int(number) % 2 == 0:
            twin = train[f"{rule}_{int(number) + 1}"]
            assert twin.surface == task.surface
            assert set(twin.binding.labels) == set(task.binding.labels)
            inputs = [e.input for e in rows(task, 20)]
            one, other = ([task.rule.solve(text, b) for text in inputs] for b in (task.binding, twin.binding))
            assert one != other, name
