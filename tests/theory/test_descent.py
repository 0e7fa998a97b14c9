"""SGD: stacked training equals plain training, what must not move does not, and the optima are found."""

import pytest
import torch

from manyshot.errors import TheoryError
from manyshot.theory.batches import prompt_loss, second_moments, zero_shot_loss
from manyshot.theory.closed_forms import best_pretraining_scale, error_pretrained
from manyshot.theory.data import Prompts, torch_generator
from manyshot.theory.descent import LOSSES, PARTS, DescentPlan, StackedDescent, run_descent
from manyshot.theory.model import Merged, Separate, predict
from manyshot.theory.population import average_error
from manyshot.theory.setting import make_setting

SMALL = DescentPlan(pretraining_steps=30, tuning_steps=20, batch_prompts=40, tuning_points=500, n_seeds=2)


@pytest.fixture(scope="module")
def small():
    return run_descent(make_setting(), SMALL)


def test_every_method_is_trained_on_every_seed(small):
    assert set(small.last) == {"pretrained", *(f"{part} {loss}" for part in PARTS for loss in LOSSES)}
    assert all(model.query_key.shape == (2, 7, 7) for model in small.last.values())


@pytest.mark.parametrize("loss", LOSSES)
def test_what_a_method_holds_does_not_move_and_the_rest_does(small, loss):
    start = small.last["pretrained"]
    for part in PARTS:
        model = small.last[f"{part} {loss}"]
        moved_scores = (model.query_key - start.query_key).abs().max()
        moved_value = (model.value - start.value).abs().max()
        assert (moved_scores > 1e-4) == (part != "V"), part
        assert (moved_value > 1e-4) == (part in ("all", "V")), part


def test_a_seed_gives_the_same_weights_twice(small):
    again = run_descent(make_setting(), SMALL)
    assert torch.equal(again.last["all ZS+MT"].query_key, small.last["all ZS+MT"].query_key)


def test_the_loss_from_second_moments_is_the_loss_of_the_model():
    source = torch_generator(0, "loss")
    tokens = torch.randn(1, 50, 6, 5, generator=source)
    tokens[..., 0] = 1
    model = Merged(torch.randn(1, 1, 5, 5, generator=source), torch.randn(1, 1, 5, generator=source))
    one = Merged(model.query_key[0, 0], model.value[0, 0])
    moments, query, answer = second_moments(tokens.clone())
    prompts = Prompts(tokens[0, :, :-1], query[0], answer[0])
    expected = ((predict(one, prompts) - answer[0]) ** 2).mean()
    assert float(prompt_loss(model, moments, query, answer)) == pytest.approx(float(expected), rel=1e-4)
    alone = Prompts(tokens[0, :, :0], query[0], answer[0])
    expected = ((predict(one, alone) - answer[0]) ** 2).mean()
    assert float(zero_shot_loss(model, query, answer)) == pytest.approx(float(expected), rel=1e-4)


def test_stacked_steps_equal_torch_sgd_with_momentum_and_clipping():
    plan = DescentPlan()
    source = torch_generator(0, "step")
    value = torch.randn(1, 2, 4, generator=source)
    query = torch.randn(1, 2, 4, 4, generator=source)
    goal = 3 * torch.randn(1, 2, 4, generator=source)
    stacked = StackedDescent(
        plan, Separate(query, torch.eye(4).expand(1, 2, 4, 4), value), {"query": torch.ones(2), "value": torch.ones(2)}
    )

    def loss(query, value):
        return ((query @ value.unsqueeze(-1)).squeeze(-1) - goal[:, : value.shape[1]]).pow(2).sum()

    for _ in range(5):
        stacked.step(loss(stacked.weights["query"], stacked.weights["value"]))
    plain = [query[:, :1].clone().requires_grad_(), value[:, :1].clone().requires_grad_()]
    torch_sgd = torch.optim.SGD(plain, lr=plan.learning_rate, momentum=plan.momentum)
    for _ in range(5):
        torch_sgd.zero_grad()
        loss(*plain).backward()
        torch.nn.utils.clip_grad_norm_(plain, plan.clip_norm)
        torch_sgd.step()
    assert torch.allclose(stacked.weights["query"][:, :1], plain[0], atol=1e-5)
    assert torch.allclose(stacked.weights["value"][:, :1], plain[1], atol=1e-5)


@pytest.mark.slow
def test_pretraining_reaches_the_closed_form():
    setting = make_setting()
    plan = DescentPlan(pretraining_steps=1500, tuning_steps=1, batch_prompts=250, n_seeds=1)
    model = run_descent(setting, plan).averaged["pretrained"]
    found = average_error(setting, Merged(model.query_key[0], model.value[0]), 20)
    ideal = error_pretrained(setting, 20, setting.theta_0, best_pretraining_scale(setting))
    assert float(found) == pytest.approx(float(ideal), rel=0.02)


def test_plans_that_train_nothing_and_rates_that_diverge_are_refused():
    with pytest.raises(TheoryError, match="batch_prompts is 0"):
        run_descent(make_setting(), DescentPlan(batch_prompts=0))
    with pytest.raises(TheoryError, match="diverged at learning rate"):
        run_descent(make_setting(), DescentPlan(30, 1, 20, 100, 1, learning_rate=1e30))
