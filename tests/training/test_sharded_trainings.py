"""What a model that is sharded over devices would lose in silence is refused before training."""

import pytest

from manyshot.errors import RecipeError
from manyshot.models import TuningOptions, prepare_tuning
from manyshot.models.held import has_held_rows
from manyshot.objectives import ObjectiveOptions
from manyshot.training import ManyShotTrainer
from tests import tiny
from tests.training.small import EXACT, trainer


def sharded(flag):
    """A trainer that takes itself for one of several with sharded models; they need several processes."""

    class Sharded(ManyShotTrainer):
        def create_accelerator_and_postprocess(self):
            super().create_accelerator_and_postprocess()
            setattr(self, flag, True)

    return Sharded


FLAGS = ["is_fsdp_enabled", "is_deepspeed_enabled"]


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    ("architecture", "preset"),
    [("gpt2", "value_only"), ("phi3", "value_frozen"), ("gpt_neox", "qk_only"), ("gpt2", "value_lora")],
)
def test_held_rows_of_a_fused_matrix_are_refused(architecture, preset, flag, tmp_path):
    model = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model
    with pytest.raises(RecipeError, match=r"tuning\.preset: .*full or lora, or train without fsdp") as raised:
        trainer(model, tmp_path, kind=sharded(flag), **EXACT)
    assert "\n" not in str(raised.value)
    trainer(model, tmp_path, **EXACT)


@pytest.mark.parametrize(("architecture", "preset"), [("gpt2", "full"), ("gpt2", "lora"), ("llama", "value_only")])
def test_where_no_rows_are_held_nothing_is_refused(architecture, preset, tmp_path):
    model = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model
    assert not has_held_rows(model)
    trainer(model, tmp_path, kind=sharded(FLAGS[0]), **EXACT)


@pytest.mark.parametrize("term", ["kl_input", "l2_sp"])
def test_a_start_that_cannot_be_kept_is_refused(term, tmp_path):
    objective = ObjectiveOptions.model_validate({"preservation": {term: 0.1}})
    with pytest.raises(RecipeError, match="the start of a model that is sharded"):
        trainer(tiny.model("llama"), tmp_path, objective=objective, kind=sharded(FLAGS[0]), **EXACT)
