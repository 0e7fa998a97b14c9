"""`manyshot eval --stress`: stressed scores stand beside the plain ones in what it prints and writes."""

import json

import pytest

from manyshot.tasks import save_task
from tests import tiny
from tests.cli.test_bad_input import fails, run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("stress")
    tiny.model("llama").save_pretrained(root / "model")
    tiny.tokenizer().save_pretrained(root / "model")
    save_task(tiny.word_task(n_train=20, n_test=6), root / "words")
    return root


def test_what_is_printed_under_stress_is_what_the_summary_says(world, tmp_path):
    arguments = (
        "--tasks",
        world / "words",
        "--shots",
        "0,3",
        "--limit",
        "5",
        "--stress",
        "order,flipped",
        "--out",
        tmp_path / "out",
    )
    done = run("eval", *map(str, (world / "model", *arguments)))
    assert done.returncode == 0, done.stderr
    stress = json.loads((tmp_path / "out" / "summary.json").read_text())["stress"]["model"]
    rows = {
        line.split()[1]: line
        for line in done.stdout.splitlines()
        if line.startswith("model  ") and "held out (1)" in line
    }
    assert set(rows) == set(stress) == {"order", "flipped"}
    for name, line in rows.items():
        point = stress[name]["held_out"]["shots"]["3"]
        assert f"{point['stressed']:.3f} (" in line
    flipped = stress["flipped"]["held_out"]["shots"]["3"]
    assert f"({flipped['difference']:+.3f} [{flipped['ci95'][0]:+.3f}, {flipped['ci95'][1]:+.3f}])" in rows["flipped"]
    assert "under stress" in (tmp_path / "out" / "report.html").read_text()


def test_an_unknown_stress_is_named(world, tmp_path):
    arguments = ("--tasks", str(world / "words"), "--stress", "shuffled", "--out", str(tmp_path / "out"))
    fails("eval", str(world / "model"), *arguments, saying=["stress", "'shuffled'", "'sorted'"])
