from itertools import pairwise
from random import Random

import pytest

from manyshot.pretraining.curriculum import KINDS_OF_DOCUMENT, draw_document
from manyshot.pretraining.documents import ADJACENT, pairs
from manyshot.pretraining.words import is_reserved, make_word, training_word


@pytest.mark.parametrize("kind", KINDS_OF_DOCUMENT)
def test_a_document_is_a_pure_function_of_its_generator(kind):
    one, other, third = (draw_document(Random(seed), kind, training_word, 20) for seed in (7, 7, 8))
    assert one == other
    assert one.text != third.text


@pytest.mark.parametrize("kind", ["adjacent", "separated", "framed", "shared_labels"])
def test_an_answer_is_known_exactly_when_its_prompt_stood_before_and_is_then_the_same(kind):
    for seed in range(30):
        answers: dict[str, str] = {}
        for example in draw_document(Random(seed), kind, training_word, 30).examples:
            assert example.known == (example.prompt in answers)
            assert answers.setdefault(example.prompt, example.answer) == example.answer


def test_known_parts_of_phrases_stood_before_as_text():
    for seed in range(30):
        text = ""
        for example in draw_document(Random(seed), "phrases", training_word, 12).examples:
            phrase = " " + example.prompt.split()[-1] + example.answer
            assert example.known == (phrase in text)
            text += example.prompt + example.answer


def test_a_periodic_document_repeats_one_phrase_and_knows_it_from_the_second_time_on():
    for seed in range(30):
        examples = draw_document(Random(seed), "periodic", training_word, 20).examples
        period = [e.known for e in examples].index(True)
        assert len({e.answer for e in examples[:period]}) == period
        for i, e in enumerate(examples):
            assert e.answer == examples[i % period].answer
            assert e.known == (i >= period)


def test_keys_repeat_at_random_gaps():
    keys = [e.prompt for e in pairs(Random(0), training_word, ADJACENT, 200).examples]
    gaps = {b - a for key in set(keys) for a, b in pairwise([i for i, k in enumerate(keys) if k == key])}
    assert len(gaps) > 3


def test_no_made_up_word_of_a_training_document_is_reserved_for_evaluation():
    drawn = []

    def recording(rng: Random) -> str:
        drawn.append(training_word(rng))
        return drawn[-1]

    for kind in KINDS_OF_DOCUMENT:
        draw_document(Random(1), kind, recording, 50)
    assert drawn
    assert not any(map(is_reserved, drawn))
    # the rule would strike words that were drawn without regard to it
    assert any(is_reserved(make_word(Random(seed))) for seed in range(100))
