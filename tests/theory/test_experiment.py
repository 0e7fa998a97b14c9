"""theory.json, the figures and the page; the command's promises about folders."""

import re

import pytest
import torch
import typer
from typer.testing import CliRunner

from manyshot.cli.theory import theory
from manyshot.errors import TheoryError
from manyshot.files import read_json, write_text
from manyshot.theory.descent import DescentPlan
from manyshot.theory.experiment import Preset, describe_crossing, run_experiment
from manyshot.theory.figures import draw_all
from manyshot.theory.page import check_out, write_report
from manyshot.theory.setting import make_setting

TINY = Preset(
    "tiny",
    monte_carlo_prompts=40_000,
    general_prompts=2_000,
    evaluation_prompts=200,
    descent=DescentPlan(pretraining_steps=20, tuning_steps=20, batch_prompts=20, tuning_points=200, n_seeds=2),
    weights=(1.0,),
    lengths=(20,),
)


@pytest.fixture(scope="module")
def result():
    return run_experiment(TINY)


def test_closed_form_and_monte_carlo_have_the_promised_keys(result):
    shots = [str(n) for n in range(21)]
    for key in ("P", "F+", "F-", "V+", "V-"):
        assert list(result["closed_form"][key]) == shots
        assert list(result["monte_carlo"][key]) == shots
        assert set(result["monte_carlo"][key]["0"]) == {"mean", "se"}
    assert {"setting", "versions", "seconds", "seed"} <= result["meta"].keys()


def test_monte_carlo_stays_within_four_standard_errors(result):
    for check in result["checks"]["monte_carlo"].values():
        assert check["largest_distance_in_se"] < 4
    for row in result["general"]:
        assert row["closed_form_against_moments"] < 1e-9
        assert all(check["largest_distance_in_se"] < 4 for check in row["monte_carlo"].values())


def test_a_prompt_never_beats_knowing_the_target_by_heart_but_helps_elsewhere(result):
    crossing = describe_crossing(make_setting())
    assert crossing["fewest_shots"]["F"][-1] is None
    assert crossing["fewest_shots"]["V"][0] == 1
    assert result["crossing"]["fewest_shots"]["P"] == crossing["fewest_shots"]["P"]


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    """A folder that the command has written."""
    return write_report(result, tmp_path_factory.mktemp("theory") / "out").parent


def test_the_report_is_one_page_that_needs_nothing_else(written):
    text = (written / "report.html").read_text()
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)
    assert text.count("<img") == len(list((written / "figures").glob("*.svg"))) == 8
    assert "$" not in re.sub(r"base64,[^\"]*", "", text)


def test_theory_json_holds_the_result_unchanged(result, written):
    assert read_json(written / "theory.json") == result
    assert read_json(written / "summary.json")["closed_form"]["P"]["20"] == 0.3459


def test_figures_are_the_same_for_the_same_numbers(result, written):
    for name, svg in draw_all(result).items():
        assert (written / "figures" / name).read_text() == svg


def test_a_stranger_s_folder_is_left_alone(tmp_path):
    write_text(tmp_path / "thesis.txt", "all my work")
    with pytest.raises(TheoryError, match="is not empty"):
        check_out(tmp_path)
    write_text(tmp_path / "theory.json", '{"mine": 1}')
    with pytest.raises(TheoryError, match="was not written by this command"):
        check_out(tmp_path)
    with pytest.raises(TheoryError, match="is a file"):
        check_out(tmp_path / "thesis.txt")


def test_an_earlier_run_s_folder_may_be_written_again(written):
    check_out(written)


@pytest.fixture
def app():
    app = typer.Typer()
    app.command()(theory)
    return app


def test_the_command_refuses_two_presets_and_foreign_folders(app, tmp_path):
    found = CliRunner().invoke(app, ["--out", str(tmp_path / "new"), "--fast", "--paper"])
    assert isinstance(found.exception, TheoryError)
    write_text(tmp_path / "thesis.txt", "all my work")
    found = CliRunner().invoke(app, ["--out", str(tmp_path), "--fast"])
    assert isinstance(found.exception, TheoryError)


@pytest.mark.slow
def test_the_fast_run_keeps_its_promises(app, tmp_path):
    threads = torch.get_num_threads()
    found = CliRunner().invoke(app, ["--out", str(tmp_path / "run"), "--fast"])
    torch.set_num_threads(threads)
    assert found.exit_code == 0, found.output
    result = read_json(tmp_path / "run" / "theory.json")
    for check in result["checks"]["monte_carlo"].values():
        assert check["largest_distance_in_se"] < 4
        assert check["largest_relative_se"] < 0.007
