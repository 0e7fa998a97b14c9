import re
from random import Random

from manyshot.pretraining.company import N_COMPANIES, N_ROLLS, company_prose, rolls, told_by_company
from manyshot.pretraining.documents import ADJACENT
from manyshot.pretraining.words import is_free, training_word
from manyshot.pretraining.world import THINGS, WORDS
from manyshot.tasks.builtin import suite_vocabulary

KIND_OF = {word: kind for kinds in suite_vocabulary()["thing_kinds"].values() for kind in kinds for word in WORDS[kind]}


def test_every_roll_puts_every_thing_into_one_company():
    assert len(rolls()) == N_ROLLS
    for roll in rolls():
        things = [thing for company in roll.values() for thing in company]
        assert len(roll) == N_COMPANIES
        assert sorted(things) == sorted(set(THINGS))
        assert all(map(is_free, roll))


def test_companies_do_not_follow_kinds_nor_each_other():
    # of two things of a company as many are of one kind, or of one company elsewhere, as of any two things
    things = sorted(set(THINGS))
    places = [{thing: name for name, company in roll.items() for thing in company} for roll in rolls()] + [KIND_OF]
    pairs = [(a, b) for i, a in enumerate(things) for b in things[i + 1 :]]
    for i, place in enumerate(places[:-1]):
        together = [(a, b) for a, b in pairs if place[a] == place[b]]
        for other in places[i + 1 :]:
            share = sum(other[a] == other[b] for a, b in together) / len(together)
            expected = sum(other[a] == other[b] for a, b in pairs) / len(pairs)
            assert abs(share - expected) < 4 * (expected * (1 - expected) / len(together)) ** 0.5


def test_lines_of_a_company_share_a_label_and_lines_of_two_do_not():
    for seed in range(100):
        document = told_by_company(Random(seed), training_word, ADJACENT, 20)
        things = [[w for w in re.findall(r"\w+", e.prompt) if w in KIND_OF] for e in document.examples]
        label_of = dict(zip([t[0] for t in things], [e.answer for e in document.examples], strict=True))
        explained = [
            all((place[a] == place[b]) == (label_of[a] == label_of[b]) for a in label_of for b in label_of)
            for place in ({t: n for n, company in roll.items() for t in company} for roll in rolls())
        ]
        assert any(explained), document.text


def test_an_answer_is_known_once_its_label_was_shown():
    for seed in range(30):
        seen = set()
        for e in told_by_company(Random(seed), training_word, ADJACENT, 20).examples:
            assert e.known == (e.answer in seen)
            seen.add(e.answer)


def test_prose_names_things_of_a_company_together_more_often_than_any_two():
    place = {thing: name for name, company in rolls()[0].items() for thing in company}
    same = kind = n = 0
    for seed in range(600):
        for line in re.findall(r"likes the (\w+), the (\w+) and the (\w+)", company_prose(Random(seed), 10)):
            n += 1
            same += len({place[word] for word in line}) == 1
            kind += len({KIND_OF[word] for word in line}) == 1
    # one roll of eight choices, kinds half of them
    assert abs(same / n - 1 / 8) < 0.05
    assert abs(kind / n - 1 / 2) < 0.08
