"""Real text beside generated documents: rows that are one or the other, and the texts that a tokenizer learns from."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from random import Random
from typing import Any

from manyshot.episodes import EpisodeDataset, EpisodeOptions, MixOptions
from manyshot.pretraining.curriculum import PretrainingRecipe, StageOptions, draw_document
from manyshot.pretraining.rows import PretrainingRows
from manyshot.pretraining.words import training_word
from manyshot.seeds import derive, generator
from manyshot.tasks import Corpus, open_suite

CorpusOf = Callable[[], Corpus | None]


class MixedRows:
    """Row n is plain text or a document, by n alone. Both kinds are made by the same number n."""

    def __init__(self, documents: PretrainingRows, text: EpisodeDataset, share: float, seed: int) -> None:
        self.documents, self.text, self.share, self.seed = documents, text, share, seed

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, n: int) -> dict[str, Any]:
        if not 0 <= n < len(self):
            raise IndexError(n)
        is_text = generator(self.seed, "which", n).random() < self.share
        row = self.text[n] if is_text else self.documents[n]
        # the columns that both have: a batch may hold rows of either kind
        return {key: row[key] for key in ("input_ids", "labels", "bounds", "is_text")}


def make_rows(stage: StageOptions, tokenizer: Any, n_rows: int, seed: int, corpus: CorpusOf) -> Any:
    """Return a stage's rows: generated documents, and the share `stage.text` of them the corpus.

    `corpus` is called only where the stage has a share of it. Row n depends on nothing but the arguments and n.
    """
    documents = PretrainingRows(stage, tokenizer, n_rows, seed)
    if stage.text == 0:
        return documents
    text = EpisodeDataset(
        [],
        tokenizer,
        EpisodeOptions(budget_tokens=stage.budget_tokens),
        n_rows=n_rows,
        # the texts' name from when they were prose only: another one would change every row
        seed=derive(seed, "prose"),
        corpus=corpus(),
        mix=MixOptions(text=1.0),
    )
    return MixedRows(documents, text, stage.text, seed)


def tokenizer_texts(recipe: PretrainingRecipe, corpus: Corpus | None = None) -> Iterator[str]:
    """Yield the corpus, the training rows of the recipe's suite and generated documents in turn, for the tokenizer.

    In turn, so that a limit on their bytes cuts all alike. The documents are of `tokenizer_kinds`, whatever the stages read.
    """
    streams = [_generated(recipe)]
    if recipe.suite is not None:
        streams.insert(0, _task_rows(recipe.suite))
    if corpus is not None:
        streams.insert(0, iter(corpus.documents))
    for texts in zip_longest(*streams):
        yield from (text for text in texts if text is not None)


def _generated(recipe: PretrainingRecipe) -> Iterator[str]:
    for n in range(recipe.tokenizer_documents):
        rng = Random(derive(recipe.seed, "tokenizer", n))
        kind = recipe.tokenizer_kinds[n % len(recipe.tokenizer_kinds)]
        yield draw_document(rng, kind, training_word, 20).text


def _task_rows(suite: str) -> Iterator[str]:
    """Yield the first row of every task that is trained on, then the second, and so on."""
    opened = open_suite(suite)
    tasks = opened.load(opened.select(["train"]))
    for examples in zip_longest(*(task.train for task in tasks)):
        for task, e in zip(tasks, examples, strict=True):
            if e is not None:
                template = task.template
                yield template.render_prompt(e.input) + template.render_answer(e.output) + template.stop
