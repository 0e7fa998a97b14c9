from manyshot.evaluation import Judged, measure_retention
from manyshot.records import Prediction, Score
from manyshot.reporting.retention import retention_tables


def judged(method, by_shots):
    """One task of two queries, scored at each number of shots."""
    scores = [Score(method, "t", "qa", "accuracy", k, k, 0, 2, s, 0.0) for k, s in by_shots.items()]
    lines = [
        Prediction(method, "t", k, k, 0, q, "a" if right else "b", "a", float(right), -1.0)
        for k, s in by_shots.items()
        for q, right in enumerate((s >= 0.5, s >= 1.0))
    ]
    return Judged(scores, lines)


def test_a_model_that_was_judged_at_fewer_numbers_of_shots_leaves_the_others_empty():
    base = {0: 0.0, 1: 0.5, 4: 1.0}
    whole = measure_retention([judged("base", base)], [judged("a", {0: 0.0, 1: 0.5, 4: 0.5})], foreign=["t"])
    ends = {k: s for k, s in base.items() if k != 1}
    part = measure_retention([judged("base", ends)], [judged("b", {0: 0.5, 4: 0.5})], foreign=["t"])
    curves, losses = retention_tables({"base": "base", "models": {"a": whole.to_dict(), "b": part.to_dict()}})
    rows = {row[0]: dict(zip(curves.head, row, strict=True)) for row in curves.rows}
    assert [rows[m]["1 shots"] for m in ("base", "a", "b")] == ["0.500", "0.500", ""]
    assert [rows[m]["4 shots"] for m in ("base", "a", "b")] == ["1.000", "0.500", "0.500"]
    assert [rows[m]["gain 4"] for m in ("base", "a", "b")] == ["+1.000", "+0.500", "+0.000"]
    assert {row[0]: row[3] for row in losses.rows}["b"].startswith("50.0%")
