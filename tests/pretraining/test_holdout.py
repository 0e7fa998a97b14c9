from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from manyshot.models import train_tokenizer
from manyshot.pretraining.curriculum import PretrainingRecipe, StageOptions
from manyshot.pretraining.holdout import known_accuracy
from manyshot.pretraining.mixed import tokenizer_texts

STAGE = StageOptions.model_validate({"name": "a", "mix": {"framed": 1.0, "prose": 1.0}, "budget_tokens": 96})


class Seer:
    """Knows the token after each position, except where `blind(position, its next token)` says so."""

    device = "cpu"

    def __init__(self, size: int, blind):
        self.size, self.blind = size, blind

    def __call__(self, ids, logits_to_keep):
        after = F.pad(ids[:, 1:], (0, 1))
        wrong = torch.tensor([[self.blind(t, int(token)) for t, token in enumerate(row)] for row in after])
        said = torch.where(wrong, (after + 1) % self.size, after)
        return SimpleNamespace(logits=F.one_hot(said, self.size).float()[logits_to_keep])


@pytest.fixture(scope="module")
def tokenizer():
    recipe = PretrainingRecipe.model_validate({"model": {}, "stages": [{"name": "a", "mix": {"prose": 1}}]})
    return train_tokenizer((text for _, text in zip(range(400), tokenizer_texts(recipe), strict=False)), 512)


def test_a_model_that_sees_what_comes_is_right_everywhere(tokenizer):
    for known in known_accuracy(Seer(600, lambda t, token: False), tokenizer, STAGE, n_rows=8).values():
        assert (known.tokens, known.answers) == (1.0, 1.0)


def test_an_answer_is_right_only_if_every_token_of_it_is(tokenizer):
    # blind for one token that stands in every answer of a row of recall: the stop text's line break or sign
    stops = {
        tokenizer(text, add_special_tokens=False)["input_ids"][-1] for text in ("\n", ";", ".", ",", " |", "*", "%")
    }
    found = known_accuracy(Seer(600, lambda t, token: token in stops), tokenizer, STAGE, ["framed"], n_rows=8)["framed"]
    assert found.answers < 0.2 < 0.5 < found.tokens < 1


def test_half_blind_by_place_is_right_in_the_half_it_sees(tokenizer):
    found = known_accuracy(Seer(600, lambda t, token: t % 2 == 0), tokenizer, STAGE, ["prose"], n_rows=8)["prose"]
    assert abs(found.tokens - 0.5) < 0.01
    assert found.answers == 0
