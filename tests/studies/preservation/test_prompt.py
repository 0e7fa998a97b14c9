"""A target is read behind its soft prompt exactly as it was trained behind it."""

import numpy as np
import pytest
import torch

from manyshot.inference import Reader
from manyshot.models import save_prompt
from manyshot.models.soft_prompt import attach_prompt
from manyshot.studies.preservation.prompt import has_prompt, prompted_reader
from tests import tiny


def answer_logprob(model, ids, n_answer):
    """What the training forward, with the prompt hooked in, says of a row's last tokens."""
    keep = torch.zeros(1, len(ids), dtype=torch.bool)
    keep[0, -n_answer - 1 : -1] = True
    model.train()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), logits_to_keep=keep, use_cache=False).logits
    model.eval()
    logprobs = logits.reshape(n_answer, -1).log_softmax(-1)
    return float(logprobs[range(n_answer), ids[-n_answer:]].sum())


@pytest.mark.parametrize("architecture", ["qwen3", "gemma2"])
def test_answers_behind_the_prompt_score_as_in_training(tmp_path, architecture):
    task, tokenizer = tiny.word_task(), tiny.tokenizer()
    prompt = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    save_prompt(prompt, tmp_path)
    reader = prompted_reader(tiny.model(architecture), tokenizer, tmp_path)
    queries = [e.input for e in task.test[:3]]
    answers = reader.prime(task, task.train[:2]).answer(queries)

    trained, plain = tiny.model(architecture), Reader(tiny.model(architecture), tokenizer)
    attach_prompt(trained, prompt, moves=False)
    encoder = plain.encoder
    shots = encoder.examples(task, task.train[:2])
    before = [encoder.header(task), *(piece for i in range(2) for piece in (shots.prompts[i], shots.answers[i]))]
    for query, answer in zip(queries, answers, strict=True):
        end = encoder.answers(task, [answer.output])[0]
        ids = np.concatenate([*before, encoder.prompts(task, [query])[0], end]).tolist()
        assert answer.logprob == pytest.approx(answer_logprob(trained, ids, len(end)), abs=1e-4)


def test_a_model_without_a_prompt_beside_it_has_none(tmp_path):
    assert not has_prompt(tmp_path)
    save_prompt(torch.zeros(1, 4), tmp_path)
    assert has_prompt(tmp_path)
