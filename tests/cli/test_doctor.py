"""What doctor says is what loading and training do here."""

import json
import os

import numpy
import pytest
import torch
from typer.testing import CliRunner

from manyshot.cli import app
from manyshot.models import load_model
from manyshot.training import TrainingOptions, make_arguments
from tests import tiny


@pytest.fixture(scope="module")
def found():
    done = CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False)
    return json.loads(done.output)


def test_versions_are_those_that_are_imported(found):
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["numpy"] == numpy.__version__


def test_weights_and_attention_are_those_of_a_model_that_is_loaded(found, tmp_path):
    tiny.model("llama").save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    model = load_model(str(tmp_path)).model
    said = str(model.dtype).removeprefix("torch.")
    assert found["use"]["scoring_weights"] in (said, "the dtype it is stored in")
    assert found["use"]["scoring_attention"] == model.config._attn_implementation
    assert found["use"]["device"].startswith(model.device.type)


def test_autocast_is_that_of_a_training(found, tmp_path):
    arguments = make_arguments(TrainingOptions(), tmp_path, seed=0)
    assert (found["use"]["training_autocast"] == "bf16") == arguments.bf16


def test_cores_and_memory_are_the_machine_s(found):
    assert found["machine"]["cores"] == os.cpu_count()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    assert found["machine"]["memory_gib"] == pytest.approx(pages, rel=0.02)


def test_an_extra_that_cannot_be_imported_is_said_with_what_to_do(monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *rest: None if name == "pyarrow" else real(name, *rest)
    )
    said = CliRunner().invoke(app, ["doctor"], catch_exceptions=False).output
    assert "pyarrow cannot be imported: pip install" in said
    assert "datasets cannot" not in said
