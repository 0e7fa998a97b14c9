"""A conversation's pieces are what the tokenizer's own rendering is made of; templates that change their past are refused."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyshot.episodes import Encoder, EpisodeDataset, EpisodeOptions, build_episode
from manyshot.episodes.chat import find_turns
from manyshot.errors import EpisodeError
from manyshot.tasks import Example, Template, as_chat
from tests import tiny
from tests.episodes.chats import (
    CHATML,
    INSTRUCT,
    KINDS,
    NO_SYSTEM,
    NUMBERED,
    OWN_SYSTEM,
    SYSTEM_LAST,
    THOUGHTS,
    chat_tokenizer,
)

STABLE = [
    (CHATML, "system"),
    (CHATML, "user"),
    (OWN_SYSTEM, "system"),
    (OWN_SYSTEM, "user"),
    (THOUGHTS, "system"),
    (INSTRUCT, "user"),
    (NO_SYSTEM, "user"),
    (SYSTEM_LAST, "user"),
]
# refused with a system turn, and read without one
CURED = (SYSTEM_LAST, INSTRUCT, NO_SYSTEM)
NAMES = {CHATML: "chatml", OWN_SYSTEM: "own-system", THOUGHTS: "thoughts", INSTRUCT: "instruct"}
NAMES |= {NO_SYSTEM: "no-system", SYSTEM_LAST: "system-last", NUMBERED: "numbered"}


def chat_task(chat, **fields):
    task = tiny.word_task(**fields)
    return replace(task, template=as_chat(task.template, chat))


def messages(task, n, query):
    """The conversation as anybody would write it down."""
    lead = f"{task.instruction}\n" if task.template.chat == "user" and task.instruction else ""
    made = []
    if task.template.chat == "system" and task.instruction:
        made.append({"role": "system", "content": task.instruction})
    for e in task.train[:n]:
        made += [{"role": "user", "content": lead + e.input}, {"role": "assistant", "content": e.output}]
    return [*made, {"role": "user", "content": lead + query}]


def pieces(encoder, task, n, query):
    """What a model reads of the task: n demonstrations and a query."""
    episode = build_episode(encoder.examples(task, task.train), range(n))
    return np.concatenate([episode.ids, encoder.prompts(task, [query])[0]]).tolist()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("template", "chat"), STABLE, ids=lambda v: NAMES.get(v, v))
def test_the_pieces_of_a_conversation_are_what_the_tokenizer_renders(kind, template, chat):
    tokenizer, task = chat_tokenizer(kind, template), chat_task(chat)
    for n in (0, 1, 2, 7):
        whole = tokenizer.apply_chat_template(messages(task, n, "new stone"), add_generation_prompt=True)["input_ids"]
        assert pieces(Encoder(tokenizer), task, n, "new stone") == whole


@pytest.mark.parametrize(("template", "chat"), STABLE, ids=lambda v: NAMES.get(v, v))
def test_a_conversation_without_an_instruction_has_no_system_turn_of_ours(template, chat):
    tokenizer, task = chat_tokenizer("byte level", template), replace(chat_task(chat), instruction="")
    whole = tokenizer.apply_chat_template(messages(task, 3, "x"), add_generation_prompt=True)["input_ids"]
    assert pieces(Encoder(tokenizer), task, 3, "x") == whole


def test_every_answer_span_of_a_row_decodes_to_the_answer_and_the_end_of_its_turn():
    tokenizer, task = chat_tokenizer("byte level", CHATML), chat_task("system")
    rows = EpisodeDataset([task], tokenizer, EpisodeOptions(budget_tokens=300), n_rows=4)
    for n in range(4):
        episode = rows.episode(n)
        for (start, middle, end), i in zip(episode.bounds, episode.examples, strict=True):
            e = task.train[i]
            assert tokenizer.decode(episode.ids[middle:end].tolist()) == f"{e.output}<|im_end|>\n"
            asked = f"<|im_start|>user\n{e.input}<|im_end|>\n<|im_start|>assistant\n"
            assert tokenizer.decode(episode.ids[start:middle].tolist()) == asked


def test_the_mismatch_of_a_conversation_is_counted_against_the_tokenizer_s_own_rendering():
    task = chat_task("system")
    assert Encoder(chat_tokenizer("byte level", CHATML)).boundary_mismatch(task) == 0
    # a template whose answers follow a space: a byte-level tokenizer joins it to the answer's first word
    spaced = CHATML.replace("<|im_start|>{{ m.role }}\n", "{{ m.role }}: ").replace(
        "<|im_start|>assistant\n", "assistant: "
    )
    assert Encoder(chat_tokenizer("byte level", spaced)).boundary_mismatch(task) == 1


def test_texts_lose_the_white_space_that_templates_take_off():
    task = replace(chat_task("user"), train=[Example(" a b \n", "north")], test=(), instruction="")
    for template in (NO_SYSTEM, CHATML):
        tokenizer = chat_tokenizer("byte level", template)
        talk = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "north"}]
        talk.append({"role": "user", "content": "c"})
        whole = tokenizer.apply_chat_template(talk, add_generation_prompt=True)["input_ids"]
        assert pieces(Encoder(tokenizer), task, 1, " c ") == whole


def test_answers_of_several_lines_end_with_their_turn():
    task = tiny.copy_task()
    task = replace(task, train=[Example("poem", "roses\n###\nviolets")], test=(), template=Template(chat="system"))
    encoded = Encoder(chat_tokenizer("byte level", CHATML)).answers(task, ["roses\n###\nviolets"])[0]
    assert chat_tokenizer("byte level", CHATML).decode(encoded.tolist()) == "roses\n###\nviolets<|im_end|>\n"


@pytest.mark.parametrize(
    ("template", "chat", "says"),
    [
        (
            SYSTEM_LAST,
            "system",
            r"not prefix-stable: 1 answered turns do not begin as 0 do, they part at character \d+",
        ),
        (INSTRUCT, "system", "opens the first user turn with"),
        (NO_SYSTEM, "system", "System role not supported"),
        (NUMBERED, "system", "opens the first user turn with .* and later ones with"),
        (NUMBERED.replace("{{ m.role }} {{ loop.index }}", "{{ m.role }}"), "user", "not prefix-stable"),
        (CHATML.replace("{{ m.content }}", "{{ m.content | upper }}"), "user", "does not show every turn once"),
        (CHATML.replace("{{ m.content }}", "{{ m.content[:3] }}"), "user", "does not show every turn once"),
        (CHATML.replace("in messages", "in messages[-2:]"), "user", "not prefix-stable"),
        # other marks end the last answer than those before it, or none does
        (
            CHATML.replace(
                "<|im_end|>\n{% e", "{{ '<|im_end|>' if not loop.last or m.role == 'user' else '</s>' }}\n{% e"
            ),
            "user",
            "ends the last answer",
        ),
        (CHATML.replace("<|im_end|>\n{% e", "{% e"), "user", "ends the last answer"),
        (None, "user", "the tokenizer has none"),
    ],
)
def test_a_template_that_cannot_be_cut_into_pieces_is_refused_by_name(template, chat, says):
    task = chat_task(chat)
    with pytest.raises(EpisodeError, match=says) as caught:
        Encoder(chat_tokenizer("byte level", template)).examples(task, task.train)
    message = str(caught.value)
    assert "the chat template of somebody/chat" in message
    assert "\n" not in message
    # the way out is named where there is one
    assert message.endswith("use chat: user, which needs no system turn") == (template in CURED)
    assert template is None or template in CURED or "leave out chat" in message


def test_a_token_that_ends_only_whole_conversations_is_no_part_of_an_answer():
    tokenizer = chat_tokenizer("byte level", CHATML + "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}")
    assert find_turns(tokenizer, "Do.") == find_turns(chat_tokenizer("byte level", CHATML), "Do.")


# what the templates of released models are: read as they are, read without a system turn, or refused
RELEASED = {
    "system": "qwen2_5 qwen3 llama3 llama3_2 cohere gemma4 lfm2 phi3".split(),
    "user": "gemma gemma3".split(),
    "": "deepseek_r1_distill qwen3_6 gptoss".split(),
}


@pytest.mark.parametrize(("name", "chat"), [(name, chat) for chat, names in RELEASED.items() for name in names])
def test_templates_of_released_models_are_read_or_refused(name, chat):
    spec = importlib.util.find_spec("trl")
    place = Path(spec.origin or "").parent / "chat_templates" / f"{name}.jinja" if spec else Path()
    if not place.is_file():
        pytest.skip(f"trl, which brings {name}.jinja, is not installed")
    tokenizer, task = chat_tokenizer("byte level", place.read_text(encoding="utf-8")), chat_task(chat or "system")
    if chat != "system":
        with pytest.raises(EpisodeError, match="use chat: user" if chat else "leave out chat"):
            Encoder(tokenizer).header(chat_task("system"))
    if chat:
        talk = messages(task, 3, "new stone")
        whole = tokenizer.apply_chat_template(talk, add_generation_prompt=True, date_string="26 Jul 2024")["input_ids"]
        assert pieces(Encoder(tokenizer), task, 3, "new stone") == whole


def test_plain_tasks_need_no_chat_template():
    task = tiny.word_task()
    with_, without = chat_tokenizer("byte level", CHATML), tiny.tokenizer()
    assert pieces(Encoder(with_), task, 3, "x") == pieces(Encoder(without), task, 3, "x")


def test_a_task_s_own_words_stay_and_the_default_words_go():
    assert as_chat(Template(), "user") == Template("{instruction}\n", "{input}", "{output}", chat="user")
    own = Template(prompt="Premise: {input}", answer=" <{output}>")
    assert as_chat(own, "system") == Template("{instruction}\n", "Premise: {input}", " <{output}>", chat="system")
    assert as_chat(Template(chat="user"), "system") == Template(chat="user")
