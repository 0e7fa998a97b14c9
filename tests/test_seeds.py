"""A draw's seed depends on the run's seed and on the draw's whole name, and on nothing else."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyshot.seeds import derive, generator

NAME = st.integers(-3, 12) | st.text("ab1:\x1f", max_size=3)
NAMES = st.lists(NAME, max_size=3)


@given(st.integers(0, 3), NAMES, st.integers(0, 3), NAMES)
def test_seeds_agree_only_where_seed_and_names_do(seed, names, other_seed, other_names):
    same = (seed, names) == (other_seed, other_names)
    assert (derive(seed, *names) == derive(other_seed, *other_names)) == same


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("row", 1), ("row", 2)),
        (("row", 1), ("rows", 1)),
        (("row", 1), ("row", "1")),
        (("a", "b"), ("b", "a")),
        (("a", "b"), ("ab",)),
        (("a",), ("a", "")),
        ((12,), (1, 2)),
        (("a", "b"), ("a\x1fstr:b",)),
    ],
)
def test_every_name_its_type_and_its_place_count(a, b):
    assert derive(0, *a) != derive(0, *b)


def test_a_number_names_the_same_draw_whatever_library_it_comes_from():
    assert derive(0, "row", np.int64(3)) == derive(0, "row", 3)
    assert derive(np.int64(0), "row") == derive(0, "row")


@given(st.integers(), NAMES)
def test_seeds_are_63_bits(seed, names):
    assert 0 <= derive(seed, *names) < 2**63


def test_a_seed_is_the_same_in_every_process():
    code = "from manyshot.seeds import derive; print(derive(7, 'row', 3))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": h}, capture_output=True, text=True, check=True
        ).stdout
        for h in ("1", "2")
    }
    assert outputs == {f"{derive(7, 'row', 3)}\n"}


def test_a_generator_starts_afresh_each_time_it_is_asked_for():
    assert generator(0, "a").random(3).tolist() == generator(0, "a").random(3).tolist()


def test_drawing_elsewhere_changes_no_draw():
    before = generator(0, "a").random()
    np.random.rand(5)
    generator(0, "b").random(5)
    assert generator(0, "a").random() == before
