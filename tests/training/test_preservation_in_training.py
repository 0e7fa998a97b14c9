"""Preservation terms in the trainer: each against the formula on full logits, and the two kinds of reference alike."""

import copy

import pytest
import torch
from torch.nn import functional as F

from manyshot.errors import RecipeError
from manyshot.models import TuningOptions, prepare_tuning
from manyshot.objectives import ObjectiveOptions
from manyshot.training import EpisodeCollator
from manyshot.training.reference import Reference
from tests import tiny
from tests.training.small import EXACT, assert_close, rows, trainer, weights

ALL_TERMS = {"kl_input": 0.4, "kl_icl": 0.3, "l2_sp": 0.05, "few_shot_aux": True}


def objective(preservation, **fields):
    return ObjectiveOptions.model_validate({"preservation": preservation, **fields})


def some_rows(n=4, general=(1, 2), **options):
    data = rows(n, budget_tokens=90, **options)
    return [{**data[i], "is_general": i in general} for i in range(n)]


def loss_of(model, batch_rows, options, folder, step=(0, 10), start=None):
    """Return the trainer's training loss of one batch; `start` replaces what it holds the model to."""
    made = trainer(model, folder, objective=options, **EXACT)
    if start is not None:
        made.preservation.reference = start
    made.state.global_step, made.state.max_steps = step
    made.current_gradient_accumulation_steps = 1
    batch = EpisodeCollator(options)(batch_rows)
    n = made._get_num_items_in_batch([batch], torch.device("cpu"))
    return made.compute_loss(model, batch, num_items_in_batch=n)


def moved(model, seed=7, by=0.05):
    """Return a copy of a model whose moving parameters are elsewhere."""
    other, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            if parameter.requires_grad:
                parameter += by * torch.randn(parameter.shape, generator=generator)
    return other


@pytest.mark.parametrize("preset", ["full", "lora"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_kl_is_zero_at_the_first_step_in_eval_mode(architecture, preset, tmp_path):
    model = prepare_tuning(tiny.model(architecture), TuningOptions(preset=preset)).model.eval()
    batch, terms = some_rows(), {"kl_input": 1000.0, "kl_icl": 1000.0}
    held = loss_of(model, batch, objective(terms), tmp_path)
    plain = loss_of(model, batch, ObjectiveOptions(), tmp_path)
    assert held.item() == pytest.approx(plain.item(), abs=1e-6)


@pytest.mark.parametrize("preset", ["full", "lora"])
def test_kl_is_zero_while_nothing_moves_in_a_half_precision_training(preset, tmp_path):
    """The start is read in the precision that training reads the model in, or rounding would count as forgetting."""
    model = prepare_tuning(tiny.model("llama"), TuningOptions(preset=preset)).model
    settings = {**EXACT, "learning_rate": 0.0, "bf16": True, "max_steps": 2}
    made = trainer(model, tmp_path, objective=objective({"kl_input": 1, "kl_icl": 1}), data=some_rows(8), **settings)
    made.train()
    logged = [line["kl_input"] for line in made.state.log_history if "kl_input" in line]
    assert logged == [0.0, 0.0]


@pytest.mark.parametrize("term", ["kl_input", "kl_icl"])
def test_a_kl_term_is_the_mean_over_its_positions_of_full_logits(term, tmp_path):
    start, batch = tiny.model("llama"), some_rows()
    model = moved(start)
    value = {"weight": 0.7, "positions": "all"} if term == "kl_input" else 0.7
    held = loss_of(model, batch, objective({term: value}), tmp_path, start=Reference(start)) - loss_of(
        model, batch, ObjectiveOptions(), tmp_path
    )
    divergences = []
    for row in batch:
        if term == "kl_icl" and not row["is_general"]:
            continue
        ids, answers = torch.from_numpy(row["input_ids"]), torch.zeros(len(row["input_ids"]), dtype=torch.bool)
        for _, a, b in row["bounds"]:
            answers[a:b] = True
        meant = answers if term == "kl_icl" else ~answers
        with torch.no_grad():
            now, before = (F.log_softmax(m(ids[None]).logits[0].double(), -1) for m in (model, start))
        p, q = (now, before) if term == "kl_input" else (before, now)
        divergences.append((p.exp() * (p - q)).sum(-1)[:-1][meant[1:]])
    expected = 0.7 * torch.cat(divergences).mean().item()
    assert expected > 0.01
    assert held.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("architecture", ["llama", "gpt_neox"])
def test_the_adapter_switched_off_is_the_frozen_copy(architecture, tmp_path):
    base = tiny.model(architecture)
    tuned = prepare_tuning(copy.deepcopy(base), TuningOptions(preset="lora", lora={"r": 4})).model
    model, batch, terms = moved(tuned, by=0.1), some_rows(), objective({"kl_input": 0.5, "kl_icl": 0.5})
    off = loss_of(model, batch, terms, tmp_path)
    copied = loss_of(model, batch, terms, tmp_path, start=Reference(base))
    nothing = loss_of(model, batch, ObjectiveOptions(), tmp_path)
    assert Reference(model).copy is None
    assert off.item() - nothing.item() > 1e-3
    assert off.item() == pytest.approx(copied.item(), abs=1e-6)
    gradients = []
    for loss in (off, copied):
        model.zero_grad()
        loss.backward()
        gradients.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0]
    assert_close(*gradients)


def test_reading_the_start_leaves_the_tuned_model_as_it_was(tmp_path):
    model = prepare_tuning(tiny.model("gpt2"), TuningOptions(preset="lora")).model.train()
    model.get_base_model().transformer.h[0].eval()
    modes, state = [m.training for m in model.modules()], torch.random.get_rng_state()
    keep = torch.ones(1, 3, dtype=torch.bool)
    with torch.autocast("cpu", enabled=False) as same:
        first = Reference(model).logits(model, {"input_ids": torch.tensor([[5, 6, 7]])}, keep, same)
    assert [m.training for m in model.modules()] == modes
    # gpt2 drops out a tenth in training; the start is read without
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        assert torch.equal(first, tiny.model("gpt2")(torch.tensor([[5, 6, 7]])).logits[0])


def test_l2_sp_is_the_sum_by_hand_and_counts_moving_parameters_alone(tmp_path):
    model = tiny.model("llama")
    prepare_tuning(model, TuningOptions(preset="value_only"))
    before = weights(model)
    settings = {**EXACT, "learning_rate": 0.5, "max_steps": 2}
    made = trainer(model, tmp_path, objective=objective({"l2_sp": 0.01}), data=some_rows(8), **settings)
    assert len(made.preservation._moving) == 2
    first = copy.deepcopy(model)
    trainer(
        first, tmp_path, objective=objective({"l2_sp": 0.01}), data=some_rows(8)[:4], **{**settings, "max_steps": 1}
    ).train()
    made.train()
    by_hand = sum((now - before[name]).double().square().sum().item() for name, now in weights(first).items())
    logged = [line["l2_sp"] for line in made.state.log_history if "l2_sp" in line]
    assert logged[0] == 0
    assert by_hand > 1e-4
    assert logged[1] == pytest.approx(by_hand, abs=2e-6, rel=1e-4)


def test_l2_sp_pulls_back_with_twice_the_weight_times_the_way(tmp_path):
    start, batch = tiny.model("llama"), some_rows()
    model = moved(start)
    made = trainer(model, tmp_path, objective=objective({"l2_sp": 0.3}), **EXACT)
    made.preservation._moving = list(zip(model.parameters(), [p.detach() for p in start.parameters()], strict=True))
    made.current_gradient_accumulation_steps = 1
    collated = EpisodeCollator(made.objective)(batch)
    n = made._get_num_items_in_batch([collated], torch.device("cpu"))
    (
        made.compute_loss(model, collated, num_items_in_batch=n) - loss_of(model, batch, ObjectiveOptions(), tmp_path)
    ).backward()
    for (_, now), then in zip(model.named_parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(now.grad, 2 * 0.3 * (now - then).detach(), atol=2e-5, rtol=1e-3)


def answer_losses(model, batch_rows):
    """Return (shots, mean -log p of its tokens) of every answer, from full logits."""
    found = []
    for row in batch_rows:
        ids = torch.from_numpy(row["input_ids"])
        with torch.no_grad():
            nll = F.cross_entropy(model(ids[None]).logits[0, :-1].double(), ids[1:], reduction="none")
        found += [(shots, nll[a - 1 : b - 1].mean().item()) for shots, (_, a, b) in enumerate(row["bounds"])]
    return found


@pytest.mark.parametrize(("t", "w"), [(0, 1.0), (3, 0.4), (5, 0.0)])
def test_few_shot_aux_adds_answers_with_shots_at_an_annealed_weight(t, w, tmp_path):
    model, batch = tiny.model("llama"), some_rows(min_examples=3)
    ours = loss_of(model, batch, objective({"few_shot_aux": True}), tmp_path, step=(t, 6))
    losses = answer_losses(model, batch)
    zero, few = [x for shots, x in losses if shots == 0], [x for shots, x in losses if shots > 0]
    assert ours.item() == pytest.approx(sum(zero) / len(zero) + w * sum(few) / len(few), rel=1e-5)


@pytest.mark.parametrize(
    ("scope", "averaging"),
    [("all_answers", "token"), ("last_answer", "sequence"), ("last_example", "answer"), ("all_tokens", "sequence")],
)
def test_terms_go_with_every_scope_and_averaging_and_splitting_a_batch_changes_nothing(scope, averaging, tmp_path):
    """Three steps, so that the model is away from its start: 4 rows at once, or one at a time."""
    data, ends = some_rows(12, general=(0, 3, 5, 10)), []
    for size in (4, 1):
        model = tiny.model("llama")
        settings = {
            **EXACT,
            "learning_rate": 0.05,
            "max_steps": 3,
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": 4 // size,
        }
        made = trainer(
            model, tmp_path, objective=objective(ALL_TERMS, scope=scope, averaging=averaging), data=data, **settings
        )
        made.train()
        ends.append(weights(model))
        assert {"kl_icl", "l2_sp"} <= made.state.log_history[1].keys()
    assert_close(*ends, within=2e-6)


def test_general_rows_that_are_only_held_train_nothing(tmp_path):
    """At the start KL has no gradient, so the step is that of the other rows alone."""
    model, batch = tiny.model("llama").eval(), some_rows(4, general=(1, 2))
    held = objective({"kl_icl": {"weight": 1.0, "train_general": False}})
    alone = [row for row in batch if not row["is_general"]]
    found = []
    for batch_rows, options in ((batch, held), (alone, ObjectiveOptions())):
        model.zero_grad()
        loss_of(model, batch_rows, options, tmp_path).backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters()})
    assert_close(*found, within=2e-6)


def test_a_batch_of_general_rows_that_are_only_held_has_a_loss(tmp_path):
    model, batch = tiny.model("llama"), some_rows(2, general=(0, 1))
    loss = loss_of(model, batch, objective({"kl_icl": {"weight": 1.0, "train_general": False}}), tmp_path)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_an_evaluation_is_the_loss_of_the_answers_alone(tmp_path):
    model, batch = moved(tiny.model("llama")), some_rows()
    with_terms, without = (
        trainer(model, tmp_path, objective=options, **EXACT).compute_loss(model, EpisodeCollator(options)(batch))
        for options in (objective(ALL_TERMS), ObjectiveOptions())
    )
    assert with_terms.item() == without.item()


def test_a_strong_term_keeps_the_predictions_where_they_were(tmp_path):
    """The end to end property: the same training with kl_input leaves the start's predictions less."""
    data, apart = some_rows(16, general=()), {}
    for name, terms in (("plain", {}), ("held", {"kl_input": {"weight": 20.0, "positions": "all"}})):
        model = tiny.model("llama")
        settings = {**EXACT, "optim": "adamw_torch", "learning_rate": 3e-3, "max_steps": 12}
        trainer(model, tmp_path, objective=objective(terms), data=data * 3, **settings).train()
        probe = objective({"kl_input": {"weight": 1.0, "positions": "all"}})
        start = Reference(tiny.model("llama"))
        model.eval()
        apart[name] = (
            loss_of(model, data, probe, tmp_path, start=start) - loss_of(model, data, ObjectiveOptions(), tmp_path)
        ).item()
    assert 0 < apart["held"] < apart["plain"] / 3


def test_biases_that_stay_tuned_when_an_adapter_is_off_are_refused(tmp_path):
    model = prepare_tuning(tiny.model("gpt2"), TuningOptions(preset="lora", lora={"bias": "all"})).model
    with pytest.raises(RecipeError, match=r"tuning\.lora\.bias"):
        trainer(model, tmp_path, objective=objective({"kl_input": 1}), **EXACT)
