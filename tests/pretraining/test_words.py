from random import Random

import pytest

from manyshot.pretraining.words import distinct, evaluation_word, is_reserved, training_word


def test_words_at_evaluation_never_occur_in_training():
    rng = Random(0)
    trained = {training_word(rng) for _ in range(5000)}
    asked = {evaluation_word(rng) for _ in range(2000)}
    assert not trained & asked
    assert all(map(is_reserved, asked))
    assert not any(map(is_reserved, trained))


def test_evaluation_words_are_many():
    assert len(distinct(evaluation_word, Random(0), 1000)) == 1000


@pytest.mark.parametrize("draw", [training_word, evaluation_word])
def test_a_word_is_a_pure_function_of_its_generator(draw):
    assert [draw(Random(3)) for _ in range(3)] == [draw(Random(3))] * 3
