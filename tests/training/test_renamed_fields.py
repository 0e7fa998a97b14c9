"""A field of TrainingArguments that has two names works by both, under versions that know either."""

import dataclasses
import warnings

import pytest
from pydantic import ValidationError
from transformers import TrainingArguments

from manyshot.training import TrainingOptions, make_arguments
from manyshot.training import options as training_options

NEW, OLD = "activation_checkpointing", "gradient_checkpointing"


@pytest.mark.parametrize("name", [NEW, OLD])
def test_checkpointing_is_on_by_either_name_and_without_a_warning(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        made = make_arguments(
            TrainingOptions(args={name: True, f"{name}_kwargs": {"use_reentrant": False}}), tmp_path, 0
        )
    # what the Trainer reads, by the name of the version that is installed
    wanted = NEW if hasattr(made, NEW) else OLD
    assert getattr(made, wanted) is True
    assert getattr(made, f"{wanted}_kwargs") == {"use_reentrant": False}


@dataclasses.dataclass
class Before:
    """TrainingArguments as they were before the new name."""

    output_dir: str
    gradient_checkpointing: bool = False
    gradient_checkpointing_kwargs: dict | None = None


@dataclasses.dataclass
class Afterwards:
    """TrainingArguments as they will be without the old one."""

    output_dir: str
    activation_checkpointing: bool = False
    activation_checkpointing_kwargs: dict | None = None


@pytest.mark.parametrize("written", [NEW, OLD])
@pytest.mark.parametrize(("version", "known"), [(Before, OLD), (Afterwards, NEW)])
def test_a_version_that_knows_one_name_gets_that_one(version, known, written, tmp_path, monkeypatch):
    others = {f.name for f in dataclasses.fields(TrainingArguments)} - {"output_dir", NEW, OLD}
    fields = [(name, object, dataclasses.field(default=None)) for name in others - {f"{NEW}_kwargs", f"{OLD}_kwargs"}]
    whole = dataclasses.make_dataclass("Arguments", fields, bases=(version,))
    monkeypatch.setattr(training_options, "TrainingArguments", whole)
    made = make_arguments(TrainingOptions(args={written: True, f"{written}_kwargs": {"a": 1}}), tmp_path, 0)
    assert (getattr(made, known), getattr(made, f"{known}_kwargs")) == (True, {"a": 1})


def test_both_names_at_once_are_refused():
    with pytest.raises(ValidationError, match=f'"{NEW}" and "{OLD}" are two names of one field'):
        TrainingOptions(args={NEW: True, OLD: False})
