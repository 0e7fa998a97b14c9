"""The page of the CPU recipe, from run folders that were written by hand."""

import numpy as np
import pytest

from benchmarks import real_cpu
from manyshot.errors import RunError
from manyshot.evaluation import summarise
from manyshot.files import write_json
from manyshot.records import CellLog, Prediction, Score

TASKS = {"poll": ("votes", 0.25), "sum": ("math", 0.0), "tale": ("math", 0.0)}


def run_folder(place, shots, share_right, actual=None, methods=("base", "tuned")):
    """Write a finished run folder: `share_right(method, task, k)` of 30 queries are answered, in 2 draws."""
    log, rng = CellLog(place), np.random.default_rng(3)
    for method in methods:
        for task, (family, floor) in TASKS.items():
            for k in shots:
                for draw in range(2):
                    right = rng.random(30) < share_right(method, task, k)
                    room = min(k, (actual or {}).get(task, k))
                    rows = [
                        Prediction(method, task, k, room, draw, q, "yes" if ok else "no", "yes", float(ok), -1.0)
                        for q, ok in enumerate(right)
                    ]
                    log.add(Score(method, task, family, "accuracy", k, room, draw, 30, right.mean(), floor), rows)
    log.finish()
    write_json(place / "summary.json", summarise(place, dict.fromkeys(TASKS, "held_out"), {}))
    write_json(place / "manifest.json", {"held_out_reads": 2})
    return place


def rows_of(page: str, task: str) -> list[list[str]]:
    return [
        [c.strip() for c in line.strip("|").split("|")] for line in page.splitlines() if line.startswith(f"| {task} ")
    ]


def test_the_page_has_each_folders_curves_floors_and_gains_and_keeps_the_words_above_its_mark(tmp_path, capsys):
    learned = run_folder(
        tmp_path / "learned", (0, 4, 16), lambda m, t, k: (0.9 if k else 0.1) if m == "tuned" else 0.1, {"tale": 5}
    )
    nothing = run_folder(tmp_path / "nothing", (0, 16), lambda m, t, k: 0.25, methods=("tuned",))
    out = tmp_path / "docs" / "page.md"
    out.parent.mkdir()
    out.write_text("# Title\n\nWhat it means.\n")
    command = [str(learned), str(nothing), "--out", str(out)]
    real_cpu.main(command)
    page = out.read_text()
    assert page.startswith("# Title\n\nWhat it means.\n")
    assert page.index("## learned") < page.index("## nothing")

    poll = rows_of(page, "poll")
    # base and tuned of the first folder, then the second's one method
    assert [row[-1] for row in poll] == ["no", "yes", "no"]
    assert [row[3] for row in poll] == ["0.250"] * 3
    differences = [float(row[6].split()[0]) for row in poll]
    assert differences[1] > 0.6
    assert abs(differences[0]) < 0.3
    assert abs(differences[2]) < 0.3
    # a task without room for 16 shots stands with those that it has room for
    assert "### tuned: 0 and 4 shots" in page
    assert page.count("Held-out tasks were read 2 times") == 2
    first = page[page.index("### tuned: 0 and 16 shots") : page.index("## nothing")]
    assert "Of 2 tasks 2 are above their floor at 16 shots, 2 gain from demonstrations and 0 lose" in first

    svgs = {p.name for p in out.parent.glob("*.svg")}
    assert svgs == {"page_learned_held_out.svg", "page_learned_held_out_to_4.svg", "page_nothing_held_out.svg"}
    assert all(f"]({name})" in page for name in svgs)

    # words are kept, numbers are written anew, and the same records give the same page
    real_cpu.main(command)
    assert out.read_text() == page
    real_cpu.main([str(nothing), "--out", str(out)])
    assert "## learned" not in out.read_text()
    assert "What it means." in out.read_text()


def test_a_familys_curve_is_the_mean_of_its_tasks(tmp_path):
    place = run_folder(tmp_path / "one", (0, 4), lambda m, t, k: 0.5, methods=("tuned",))
    scores, predictions = real_cpu.read_scores(place), real_cpu.read_predictions(place)
    table = real_cpu.family_table(scores, predictions, "tuned", real_cpu.gains(scores, predictions, "tuned"))
    for family, n_tasks, _, *cells in table.rows:
        mine = [task for task, (name, _) in TASKS.items() if name == family]
        assert int(n_tasks) == len(mine)
        for k, cell in zip((0, 4), cells, strict=True):
            expected = np.mean([s.score for s in scores if s.task in mine and s.shots == k])
            assert float(cell.split()[0]) == pytest.approx(expected, abs=6e-4)


def test_a_run_that_is_not_finished_is_named(tmp_path):
    (tmp_path / "half").mkdir()
    with pytest.raises(RunError, match=r"half/summary.json: no such file; the run is not finished"):
        real_cpu.main([str(tmp_path / "half"), "--out", str(tmp_path / "page.md")])
