"""The preservation study's page from a result made by hand: what stands in it is what the result says."""

import re

import pytest

from manyshot.errors import RunError
from manyshot.evaluation import summarise
from manyshot.files import append_lines, write_json
from manyshot.records import CellLog, Prediction, Score
from manyshot.reporting import write_preservation, write_report
from manyshot.reporting.guard import guard_curve
from manyshot.reporting.preservation import plane


def method(gain, drop, **fields):
    numbers = {
        "target_gain": gain,
        "target_gain_ci95": [gain - 0.1, gain + 0.1],
        "target_icl_gain": gain / 2,
        "icl_drop": drop,
        "icl_drop_ci95": None if drop is None else [drop - 0.2, drop + 0.2],
        "gain_drop": drop,
        "icl_tasks": ["a", "b"],
        "general_bits_per_byte_change": None,
        "format_ratio": 0.25,
        "trained_parameters": 1234,
        "trained_tokens": 80_000,
        "seconds": 12.5,
        "seconds_ratio": 1.0,
        "learning_rate": 1e-3,
    }
    return {**numbers, **fields}


def standing(reached):
    return {
        "icl_drop": 0.1,
        "icl_drop_upper_end": 0.2,
        "share_of_full_target_gain": 1,
        "seconds_ratio": 1,
        "reached": reached,
    }


RESULT = {
    "base": {"gain_from_shots": 0.217},
    "seeds": [0, 1],
    "targets": ["topic"],
    "shots": 16,
    "methods": {
        "full": method(0.4, 0.31),
        "lora": method(0.3, 0.09),
        "qk_only": method(0.0, None),
        "best": {"name": "lora", **method(0.3, 0.09)},
    },
    "diverse": {"full": method(0.2, 0.05)},
    "best": "lora",
    "goal": {
        "most_icl_drop": 0.02,
        "most_icl_drop_upper_end": 0.05,
        "least_share_of_full_target_gain": 0.95,
        "most_seconds_ratio": 1.5,
        "standing": {"full": standing(False), "lora": standing(True), "qk_only": standing(None)},
    },
    "rooms": {"topic": {"base": 0.25, "room": 0.75, "most_gain": 0.4, "enough": True}},
    "claims": [
        {
            "claim": "LoRA <forgets> less",
            "source": "arXiv 1",
            "claimed": "",
            "measured": "+0.220",
            "agree": "not told apart",
        }
    ],
    "diversity": {"4": {"n_tasks": 4, "n_families": 3, **method(0.1, 0.2)}},
}


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / "preservation.json", RESULT)
    write_json(tmp_path / "manifest.json", {"versions": {"python": "3"}, "held_out_reads": 9})
    return tmp_path


def test_the_page_and_the_markdown_hold_the_numbers(folder):
    page = write_preservation(folder).read_text()
    text = (folder / "preservation.md").read_text()
    for words in ("+0.310 [0.110, 0.510]", "0.217", "not told apart", "1,234", "full, diverse", "lora (best on dev)"):
        assert words in page
        assert words in text
    assert "LoRA &lt;forgets&gt; less" in page
    assert "each of 9 models" in page


def test_the_page_loads_nothing_from_elsewhere(folder):
    page = write_preservation(folder).read_text()
    assert [word for word in ("src=", "<script", "<link", "@import", 'href="http') if word in page] == []


def test_the_plane_shows_every_method_with_a_known_drop_once_and_the_best_not_twice():
    names = re.findall(r"<text[^>]*>\s*\d+\s+([^<]*)</text>", re.sub(r"<!--.*?-->", "", plane(RESULT)))
    assert [name.strip() for name in names] == ["full", "lora", "full, diverse"]


def test_a_plane_without_any_known_drop_is_drawn_all_the_same():
    assert "<svg" in plane({**RESULT, "methods": {"full": method(0.1, None)}, "diverse": {}})


def test_a_folder_without_a_result_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"no preservation\.json"):
        write_preservation(tmp_path)


def test_a_guards_curve_marks_the_probes_past_its_limit():
    row = {"stage": "tune", "step": 0, "value": 0.4, "drop": 0.0, "within": True}
    rows = [row, {**row, "step": 5, "drop": 0.05}, {**row, "step": 10, "drop": 0.5, "within": False}]
    inside, outside = guard_curve(rows[:2]), guard_curve(rows)
    assert inside != outside
    assert guard_curve([]) is None


def test_a_runs_report_shows_its_guard(tmp_path):
    log = CellLog(tmp_path)
    log.add(
        Score("base", "a", "f", "accuracy", 0, 0, 0, 1, 1.0, 0.5),
        [Prediction("base", "a", 0, 0, 0, 0, "x", "x", 1, -1)],
    )
    log.finish()
    write_json(tmp_path / "summary.json", summarise(tmp_path, {"a": "held_out"}, {}))
    assert "guard" not in {f.stem for f in (write_report(tmp_path).parent / "figures").glob("*")}
    append_lines(tmp_path / "guard.jsonl", [{"stage": "tune", "step": 0, "value": 0.4, "drop": 0.0, "within": True}])
    assert "guard" in {f.stem for f in (write_report(tmp_path).parent / "figures").glob("*")}
