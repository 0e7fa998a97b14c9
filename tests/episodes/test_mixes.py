"""Shares of kinds of rows: general rows mixed in, and rows with shots beside rows without."""

import numpy as np
import pytest
from pydantic import ValidationError

from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.errors import EpisodeError
from tests import tiny

N = 1500


def dataset(mix=None, with_general=True, seed=0):
    return EpisodeDataset(
        [tiny.word_task("own")],
        tiny.tokenizer(),
        EpisodeOptions(budget_tokens=150, min_examples=3),
        n_rows=N,
        seed=seed,
        mix=MixOptions(**(mix or {})),
        general=[tiny.copy_task("mixed_in"), tiny.word_task("also_mixed_in", seed=5)] if with_general else [],
    )


def share(values):
    return np.mean(list(values))


@pytest.mark.parametrize(("mix", "expected"), [({}, 0.10), ({"general": 0.4}, 0.4), ({"general": 0.0}, 0.0)])
def test_general_rows_have_their_share_and_are_marked(mix, expected):
    rows = dataset(mix)
    episodes = [rows.episode(n) for n in range(N)]
    assert share(e.is_general for e in episodes) == pytest.approx(expected, abs=0.04)
    assert all(e.is_general == (e.task != "own") for e in episodes)
    assert [rows[n]["is_general"] for n in range(50)] == [e.is_general for e in episodes[:50]]


def test_without_general_tasks_no_row_is_general():
    rows = dataset(with_general=False)
    assert not any(rows[n]["is_general"] for n in range(200))


def test_a_share_without_general_tasks_is_an_error():
    with pytest.raises(EpisodeError, match=r"mix\.general is 0\.2 .*give the stage some"):
        EpisodeDataset([tiny.word_task()], tiny.tokenizer(), n_rows=1, mix=MixOptions(general=0.2))


def test_rows_that_are_not_mixed_in_are_the_rows_without_a_mix():
    """A method with general rows and one without differ in those rows and in nothing else."""
    plain, mixed = dataset(with_general=False), dataset({"general": 0.3})
    own = [n for n in range(300) if not mixed.episode(n).is_general]
    assert 180 < len(own) < 240
    assert all(np.array_equal(plain[n]["input_ids"], mixed[n]["input_ids"]) for n in own)


@pytest.mark.parametrize("wanted", [0.0, 0.2, 1.0])
def test_icl_format_is_the_share_of_rows_with_shots(wanted):
    rows = dataset({"icl_format": wanted, "general": 0.25})
    episodes = [rows.episode(n) for n in range(N)]
    own = [e.n_examples for e in episodes if not e.is_general]
    assert share(n > 1 for n in own) == pytest.approx(wanted, abs=0.04)
    # general rows have a share of their own
    assert all(e.n_examples > 1 for e in episodes if e.is_general)


def test_general_rows_can_be_without_shots_too():
    rows = dataset({"icl_format": 0.0, "general": 0.5, "general_icl_format": 0.0})
    assert {rows.episode(n).n_examples for n in range(200)} == {1}


def test_a_row_of_a_mix_depends_on_its_number_alone():
    fields = {"general": 0.3, "icl_format": 0.2}
    forwards, backwards = dataset(fields), dataset(fields)
    there = [forwards[n]["input_ids"] for n in range(60)]
    back = [backwards[n]["input_ids"] for n in reversed(range(60))][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(there, back, strict=True))
    assert any(not np.array_equal(forwards[n]["input_ids"], dataset(fields, seed=1)[n]["input_ids"]) for n in range(9))


def test_shares_of_more_than_all_rows_are_refused():
    with pytest.raises(ValidationError, match="together more than 1"):
        MixOptions(text=0.7, general=0.4)
