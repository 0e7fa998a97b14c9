"""A report from records made by hand: the numbers that stand in it are the records' numbers."""

from dataclasses import asdict

import pytest

from manyshot.errors import RunError
from manyshot.evaluation import summarise
from manyshot.files import append_lines, write_json
from manyshot.records import CellLog, Prediction, Score
from manyshot.reporting import curve_tables, write_report


@pytest.fixture
def run(tmp_path):
    """Two methods on one task at 0 and 2 shots; the tuned one is right more often."""
    log = CellLog(tmp_path)
    for method, right in (("base", [0, 1]), ("tuned", [2, 3])):
        for shots, n_right in zip((0, 2), right, strict=True):
            rows = [
                Prediction(
                    method, "trec", shots, shots, 0, q, "a" if q < n_right else "b", "a", float(q < n_right), -1.0
                )
                for q in range(4)
            ]
            log.add(Score(method, "trec", "classification", "accuracy", shots, shots, 0, 4, n_right / 4, 0.25), rows)
    log.finish()
    append_lines(tmp_path / "metrics.jsonl", [{"step": i, "tokens": 100 * i, "loss_shots_0": 3.0 / i} for i in (1, 2)])
    write_json(tmp_path / "summary.json", summarise(tmp_path, {"trec": "held_out"}, {}))
    write_json(tmp_path / "manifest.json", {"held_out_reads": 2, "versions": {"python": "3"}})
    return tmp_path


def test_the_page_holds_curves_tables_and_answers(run):
    html = write_report(run).read_text()
    for words in ("held out (1 task)", "0.750", "+0.500", "trec", "read 2 times", "<svg", "python 3"):
        assert words in html
    assert {f.name for f in (run / "figures").iterdir()} == {"shots_held_out.svg", "training_loss.svg"}


def test_the_page_loads_nothing_from_elsewhere(run):
    html = write_report(run).read_text()
    assert [word for word in ("src=", "<script", "<link", "@import", 'href="http') if word in html] == []


def test_text_of_a_model_cannot_put_markup_into_the_page(run):
    row = Prediction("tuned", "trec", 2, 2, 0, 9, "<b>bold</b>", "a", 0.0, -1.0)
    append_lines(run / "predictions.jsonl", [asdict(row)])
    assert "<b>bold</b>" not in write_report(run).read_text()


def test_the_same_records_give_the_same_bytes(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_table_is_the_same_as_markdown(run):
    table = curve_tables(summarise(run, {"trec": "held_out"}, {}))[0]
    lines = table.markdown().splitlines()
    assert lines[0].startswith("| method | 0 shots | 2 shots |")
    assert len(lines) == 2 + 3


def test_a_folder_without_a_summary_is_named(tmp_path):
    with pytest.raises(RunError, match=str(tmp_path)):
        write_report(tmp_path)
