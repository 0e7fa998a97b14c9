"""Chat templates as models have them, on small tokenizers that know their marks."""

from functools import lru_cache

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from tests import tiny
from tests.episodes.tokenizers import prefix_space, sentencepiece_like

# ChatML, as many models have it
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen 2.5: a system turn of its own where none is given
OWN_SYSTEM = "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}" + CHATML
# Qwen 3: the last answer alone shows its (empty) thoughts, those before a question do not
THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
    "{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Llama 2: the system text inside the first user turn, spaces around answers, no generation prompt
INSTRUCT = (
    "{% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ (system if loop.first else '') + m.content }} "
    "[/INST]{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
# Gemma: no system turn, roles user and model, texts trimmed
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# Mistral 7B v0.3: the system text stands before the last question, wherever that is
SYSTEM_LAST = (
    "{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] "
    "{{ (system if loop.last else '') + m.content }}[/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
# turns are numbered: prefix-stable, but no example could stand at another place
NUMBERED = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ loop.index }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {{ messages | length + 1 }}\n{% endif %}"
)
MARKS = ("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>")
KINDS = {"byte level": tiny.tokenizer, "sentencepiece": sentencepiece_like, "prefix space": prefix_space}


@lru_cache
def chat_tokenizer(kind: str, template: str) -> PreTrainedTokenizerFast:
    """A tokenizer of a kind, with the marks of all templates as special tokens, and one chat template."""
    from copy import deepcopy

    made = deepcopy(KINDS[kind]())
    made.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    made.add_tokens([AddedToken(mark, special=True, normalized=False) for mark in MARKS])
    made.chat_template = template
    made.name_or_path = "somebody/chat"
    return made
