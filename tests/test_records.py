"""Scores and predictions of a run survive a kill at any moment: resumed files equal uninterrupted ones byte for byte."""

import os
from dataclasses import asdict

import pytest

from manyshot.errors import ManyshotError, RunError
from manyshot.files import append_lines, json_line
from manyshot.records import PREDICTIONS, SCORES, CellLog, Prediction, Score, read_predictions, read_scores, versions

CELLS = [("tuned", "trec", 4, 1), ("base", "trec", 4, 0), ("base", "trec", 16, 0), ("base", "cola", 4, 0)]


def score(cell):
    method, task, shots, draw = cell
    return Score(method, task, "classification", "accuracy", shots, shots, draw, 2, 0.5, 0.25)


def predictions(cell):
    method, task, shots, draw = cell
    return [
        Prediction(method, task, shots, shots, draw, query, f"ü{query}", "south\n€", float(query == 1), -0.1 - query)
        for query in (5, 1)
    ]


def write_all(folder, cells=CELLS):
    log = CellLog(folder)
    for cell in cells:
        if cell not in log.done:
            log.add(score(cell), predictions(cell))
    log.finish()
    return contents(folder)


def contents(folder):
    return {name: (folder / name).read_bytes() for name in (PREDICTIONS, SCORES)}


@pytest.fixture
def quick_disk(monkeypatch):
    """Hundreds of runs in one test need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("whole"))


def test_a_run_killed_between_predictions_and_score_resumes_to_the_same_bytes(tmp_path, uninterrupted):
    log = CellLog(tmp_path)
    log.add(score(CELLS[0]), predictions(CELLS[0]))
    append_lines(tmp_path / PREDICTIONS, map(asdict, predictions(CELLS[1])))
    assert CellLog(tmp_path).done == {CELLS[0]}
    assert write_all(tmp_path) == uninterrupted


def test_a_run_killed_between_cells_resumes_to_the_same_bytes(tmp_path, uninterrupted):
    log = CellLog(tmp_path)
    for cell in CELLS[:2]:
        log.add(score(cell), predictions(cell))
    assert write_all(tmp_path) == uninterrupted


def test_a_run_killed_at_any_byte_of_its_predictions_resumes_to_the_same_bytes(tmp_path, uninterrupted, quick_disk):
    log = CellLog(tmp_path / "start")
    log.add(score(CELLS[0]), predictions(CELLS[0]))
    before = contents(tmp_path / "start")
    new = "".join(json_line(asdict(p)) for p in predictions(CELLS[1])).encode()
    broken = []
    for n in range(len(new) + 1):
        place = tmp_path / str(n)
        place.mkdir()
        (place / SCORES).write_bytes(before[SCORES])
        (place / PREDICTIONS).write_bytes(before[PREDICTIONS] + new[:n])
        try:
            same = write_all(place) == uninterrupted
        except (ManyshotError, ValueError):
            same = False
        if not same:
            broken.append(n)
    assert broken == []


def test_a_run_killed_at_any_byte_of_a_score_resumes_to_the_same_bytes(tmp_path, uninterrupted, quick_disk):
    log = CellLog(tmp_path / "start")
    log.add(score(CELLS[0]), predictions(CELLS[0]))
    log.add(score(CELLS[1]), predictions(CELLS[1]))
    before = contents(tmp_path / "start")
    first = len(json_line(asdict(score(CELLS[0]))))
    for n in range(first, len(before[SCORES])):
        place = tmp_path / str(n)
        place.mkdir()
        (place / PREDICTIONS).write_bytes(before[PREDICTIONS])
        (place / SCORES).write_bytes(before[SCORES][:n])
        assert CellLog(place).done == {CELLS[0]}
        assert write_all(place) == uninterrupted


def test_finished_files_do_not_depend_on_the_order_of_cells(tmp_path, uninterrupted):
    assert write_all(tmp_path, CELLS[::-1]) == uninterrupted


def test_finished_files_are_sorted_by_method_task_shots_draw_and_query(tmp_path, uninterrupted):
    write_all(tmp_path)
    assert [s.cell for s in read_scores(tmp_path)] == sorted(CELLS)
    assert [(*p.cell, p.query) for p in read_predictions(tmp_path)] == [(*c, q) for c in sorted(CELLS) for q in (1, 5)]


def test_finishing_twice_changes_nothing(tmp_path, uninterrupted):
    write_all(tmp_path)
    CellLog(tmp_path).finish()
    assert contents(tmp_path) == uninterrupted


def test_rows_are_read_back_equal(tmp_path):
    CellLog(tmp_path).add(score(CELLS[0]), predictions(CELLS[0]))
    assert read_scores(tmp_path) == [score(CELLS[0])]
    assert read_predictions(tmp_path) == predictions(CELLS[0])


def test_a_resumed_log_knows_its_scores(tmp_path):
    CellLog(tmp_path).add(score(CELLS[0]), predictions(CELLS[0]))
    assert CellLog(tmp_path).scores == [score(CELLS[0])]


def test_an_empty_folder_has_no_cells_and_gets_no_files(tmp_path):
    log = CellLog(tmp_path)
    assert log.done == set()
    assert list(tmp_path.iterdir()) == []


def test_a_broken_line_before_the_end_is_named(tmp_path):
    log = CellLog(tmp_path)
    log.add(score(CELLS[0]), predictions(CELLS[0]))
    (tmp_path / SCORES).write_text('{"method": \n' + (tmp_path / SCORES).read_text())
    with pytest.raises(ManyshotError, match=r"scores\.jsonl:1: not valid JSON"):
        CellLog(tmp_path)


def test_a_line_without_a_field_is_named_by_file_line_and_field(tmp_path):
    place = tmp_path / SCORES
    append_lines(place, [{key: value for key, value in asdict(score(CELLS[0])).items() if key != "floor"}])
    with pytest.raises(ManyshotError, match=r"scores\.jsonl:1.*floor"):
        read_scores(tmp_path)


def test_fields_of_a_later_version_are_left_out(tmp_path):
    append_lines(tmp_path / SCORES, [{**asdict(score(CELLS[0])), "new": 1}])
    assert read_scores(tmp_path) == [score(CELLS[0])]


@pytest.mark.parametrize("read", [read_scores, read_predictions])
def test_reading_a_folder_without_results_is_refused_by_place(tmp_path, read):
    with pytest.raises(RunError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_versions_name_what_results_depend_on():
    assert {"python", "torch", "transformers", "manyshot"} <= versions().keys()
    assert "not installed" not in versions().values()
