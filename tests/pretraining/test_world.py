import re
from random import Random

import pytest

from manyshot.pretraining.curriculum import KINDS_OF_DOCUMENT, draw_document
from manyshot.pretraining.documents import ADJACENT
from manyshot.pretraining.lines import picked, told_by_a_word
from manyshot.pretraining.words import training_word
from manyshot.pretraining.world import SLOTS, THINGS, WORDS, sentence
from manyshot.tasks.builtin import build_tasks, forbidden_texts, make_task, suite_vocabulary

N_DOCUMENTS = 100


def forbidden_in(text: str) -> set[str]:
    """Return what of the built-in suite stands in a text: labels as whole words, instructions, pieces of frames."""
    words = set(re.findall(r"[A-Za-z]+", text))
    found = set()
    for piece in forbidden_texts():
        pattern = rf"(?<![A-Za-z]){re.escape(piece)}" if piece[0].isalpha() else re.escape(piece)
        if piece in words if piece.isalpha() else re.search(pattern, text):
            found.add(piece)
    return found


@pytest.mark.parametrize("kind", KINDS_OF_DOCUMENT)
def test_no_document_holds_a_label_an_instruction_or_a_frame_of_the_suite(kind):
    for seed in range(N_DOCUMENTS):
        text = draw_document(Random(seed), kind, training_word, 20).text
        assert not forbidden_in(text), text


def test_the_check_finds_what_a_task_of_the_suite_writes():
    for task in build_tasks()[::7]:
        made = make_task(task, 2, 1)
        row = made.template.render_prompt(made.train[0].input) + made.template.render_answer(made.train[0].output)
        assert forbidden_in(made.instruction + "\n" + row)


def test_which_label_a_word_gets_does_not_follow_its_kind():
    # were kinds sorted under labels, things of one kind would share a label more often than things of two
    kind_of = {word: kind for kind in suite_vocabulary()["words"] for word in WORDS[kind]}
    shared = {True: [], False: []}
    for seed in range(1500):
        meaning = {}
        for e in told_by_a_word(Random(seed), training_word, ADJACENT, 14, max_keys=8).examples:
            keys = [w for w in re.findall(r"\w+", e.prompt) if w in THINGS]
            if len(keys) == 1:
                meaning.setdefault(keys[0], set()).add(e.answer)
        # a line of another slot may hold one thing by chance, under several labels
        meaning = {key: answers for key, answers in meaning.items() if len(answers) == 1}
        keys = sorted(meaning)
        for i, a in enumerate(keys):
            for b in keys[i + 1 :]:
                shared[kind_of[a] == kind_of[b]].append(meaning[a] == meaning[b])
    same, other = (sum(values) / len(values) for values in (shared[True], shared[False]))
    assert len(shared[True]) > 100
    assert abs(same - other) < 3 * (other * (1 - other) / len(shared[True])) ** 0.5


def test_a_line_is_told_by_the_one_word_of_its_slot():
    for seed in range(200):
        rng = Random(seed)
        slot = rng.choice(sorted(SLOTS))
        word = rng.choice(SLOTS[slot])
        words = re.findall(r"[A-Za-z0-9]+", sentence(rng, slot, word))
        assert [w for w in words if w in SLOTS[slot]] == [word]


def test_every_word_of_the_suite_is_in_the_world():
    for parts in suite_vocabulary()["words"].values():
        for words in parts.values():
            assert set(words) <= {word for kind in WORDS for word in WORDS[kind]}


def test_narrow_lines_say_the_same_other_words_again():
    def different(narrow: bool) -> float:
        counts = []
        for seed in range(200):
            document = told_by_a_word(Random(seed), training_word, ADJACENT, 20, narrow=narrow)
            words = [w for e in document.examples for w in re.findall(r"\w+", e.prompt)]
            counts.append(len(set(words)) / len(words))
        return sum(counts) / len(counts)

    assert different(narrow=True) < 0.7 * different(narrow=False)


def test_a_picked_word_is_told_by_one_sign_in_all_lines():
    known_words = {w for words in SLOTS.values() for w in words}
    signs = {slot: lambda words, slot=slot: [w for w in words if w in SLOTS[slot]] for slot in SLOTS}
    asked = set()
    for seed in range(300):
        document = picked(Random(seed), ADJACENT, 12)
        lines = [(re.findall(r"\w+", e.prompt), e.answer.strip()) for e in document.examples]
        found = {slot for slot, sign in signs.items() if all(sign(words) == [answer] for words, answer in lines)}
        if all([w for w in words if w not in known_words] == [answer] for words, answer in lines):
            found.add("strange")
        for marker in set.intersection(*(set(words) for words, _ in lines)):
            for step in (1, -1):
                at = [words.index(marker) + step for words, _ in lines]
                if all(
                    0 <= i < len(words) and words[i] == answer for i, (words, answer) in zip(at, lines, strict=True)
                ):
                    found.add("beside")
        assert found, document.text
        asked |= found
    # what the suite asks for by its role is never what is picked
    assert {"number", "deed", "adjective", "strange", "beside"} <= asked
    assert not asked & {"person", "colour", "thing", "place"}
