"""A ladder's tables and figures from numbers made by hand."""

import re

import pytest

from manyshot.files import write_json
from manyshot.records import CellLog, Prediction, Score
from manyshot.reporting import ladder_markdown, write_report
from manyshot.reporting.study_figures import family_curves, heat_map, learning_figure

SCORES = {"base": (0.30, 0.41), "few_shot_ft": (0.32, 0.52), "manyicl": (0.33, 0.63)}


def method(low, high):
    """What summary.json holds of a method on two held-out tasks."""
    curve, bounds = {"0": low, "4": high}, {"0": [low - 0.1, low + 0.1], "4": [high - 0.1, high + 0.1]}
    return {
        "held_out": curve,
        "worst_draw": {"held_out": curve},
        "families": {"qa": curve},
        "tasks": {"q1": {"score": high, "floor": 0.0, "shots": 4}, "m1": {"score": 0.1, "floor": 0.25, "shots": 4}},
        "ci95": {"held_out": bounds, "families": {"qa": bounds}, "tasks": {"q1": [0.0, 1.0], "m1": [0.0, 1.0]}},
        "trained_tokens": 1200,
        "supervised_answers": 40,
        "tokens_per_answer": 30.0,
        "prompt_tokens": {"0": 11.0, "4": 222.0},
        "primed_prompt_tokens": {"0": 10.0, "4": 33.0},
    }


@pytest.fixture
def result():
    methods = {name: method(*pair) for name, pair in SCORES.items()}
    point = {
        name: {k: {"mean": v, "ci95": [v - 0.1, v + 0.1]} for k, v in m["held_out"].items()}
        for name, m in methods.items()
    }
    paired = {"manyicl-few_shot_ft": {"4": [0.02, 0.2]}}
    mean, needed = {"manyicl-few_shot_ft": {"4": 0.11}}, {"manyicl-few_shot_ft": {"4": {"needed": 77, "present": 40}}}
    rest = {"held_out": {"0": 0.5, "4": 0.777}, "worst_draw": {"held_out": {"0": 0.5, "4": 0.7}}}
    rest["ci95"] = {"held_out": {"0": [0.4, 0.6], "4": [0.7, 0.8]}}
    return {
        "methods": methods,
        "base": "base",
        "seeds": [0],
        "n_tasks": {"held_out": 2},
        "floors": {"held_out": 0.1},
        "shots": 4,
        "learning_rates": {"few_shot_ft": 1e-3, "manyicl": 3e-4},
        "learning_rate_scores": {"manyicl": {"0.0003": 0.4321, "0.001": 0.4}},
        "near": {
            "paired": {"manyicl-few_shot_ft": {"4": [0.31, 0.39]}},
            "paired_mean": {"manyicl-few_shot_ft": {"4": 0.345}},
        },
        "meanings": {"few_shot_ft": "few", "manyicl": "many"},
        "tasks": {"q1": {"role": "held_out", "family": "qa"}, "m1": {"role": "held_out", "family": "math"}},
        "paired": paired,
        "paired_mean": mean,
        "paired_queries_needed": needed,
        "by_family": {"held_out": {"qa": point, "math": point}, "near": {"qa": point}},
        "without_math": {"methods": {"base": rest}, "n_tasks": {"held_out": 1}, "paired": paired, "paired_mean": mean},
        "to_dedicated": {"manyicl": {"ratio": 0.875, "shots": 4, "above_floor": {"s1": {}}}},
        "retention": {},
        "learning_shots": 4,
        "learning_base": 0.3,
        "learning_curves": {"few_shot_ft": [[600, 0.35], [1200, 0.4]], "manyicl": [[600, 0.42], [1200, 0.5]]},
        "tokens_to_reach": {"target": 0.4, "base": 0.3, "tokens": 600, "of": 1200, "share": 0.5},
        "claims": [
            {
                "claim": "far above",
                "goal": ">= +0.05",
                "shots": 4,
                "measured": 0.11,
                "ci95": [0.02, 0.2],
                "agree": True,
            },
            {
                "claim": "cheap",
                "goal": "<= 0.20",
                "shots": 4,
                "measured": 0.5,
                "ci95": None,
                "agree": False,
                "note": "n",
            },
        ],
    }


def texts(svg):
    return re.findall(r">([^<>]+)</text>", svg)


def test_the_heat_map_writes_each_score_above_its_floor(result):
    words = texts(heat_map(result))
    assert {"q1", "m1", *SCORES} <= set(words)
    numbers = [word.replace("\N{MINUS SIGN}", "-") for word in words]
    for _, high in SCORES.values():
        assert f"{high:+.2f}" in numbers
    assert numbers.count("-0.15") == len(SCORES)


def test_a_task_that_a_method_was_not_asked_stays_empty(result):
    full = len(texts(heat_map(result)))
    del result["methods"]["manyicl"]["tasks"]["q1"]
    assert len(texts(heat_map(result))) == full - 1


def test_every_role_has_panels_of_its_own_families(result):
    assert {"qa", "math"} <= set(texts(family_curves(result, "held_out")))
    assert "math" not in texts(family_curves(result, "near"))
    assert family_curves(result, "seen") is None


def test_a_ladder_without_points_has_no_learning_figure(result):
    assert "few_shot_ft at its end" in texts(learning_figure(result))
    assert learning_figure({**result, "learning_curves": {}}) is None


def test_the_tables_as_markdown_hold_the_numbers(result):
    text = ladder_markdown(result)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert ["far above", ">= +0.05", "4", "0.110 [0.020, 0.200]", "yes"] in rows
    assert ["cheap", "<= 0.20", "4", "0.500", "no (n)"] in rows
    assert ["manyicl − few_shot_ft", "40", "77"] in rows
    assert ["manyicl", "1,200", "0.500"] in rows
    assert ["manyicl", "4", "0.88", "1", "s1"] in rows
    assert ["base", "11", "10", "222", "33"] in rows
    assert "held out without math (1 task)" in text
    assert "0.777" in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert min(widths) >= 3


def test_the_page_of_a_ladder_holds_its_figures_and_goals(result, tmp_path):
    log = CellLog(tmp_path)
    row = Prediction("base", "q1", 4, 4, 0, 0, "a", "a", 1.0, -1.0)
    log.add(Score("base", "q1", "qa", "accuracy", 4, 4, 0, 1, 1.0, 0.0), [row])
    write_json(tmp_path / "summary.json", result)
    html = write_report(tmp_path).read_text()
    drawn = {f.stem for f in (tmp_path / "figures").iterdir()}
    assert drawn == {"shots_held_out", "families_held_out", "families_near", "heat_map", "learning"}
    assert "far above" in html
    assert html.count("<svg") == len(drawn)
