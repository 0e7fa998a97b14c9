"""An OpenAI-compatible completions endpoint as a backend, for models that outgrow one machine. Text in, text out.

Generation needs `stop` alone. Label scoring needs the log-probabilities of the prompt's own tokens (`echo` with `logprobs`, as
vLLM has them); some servers accept those fields and leave them out of the answer, so their absence is refused by name.
The demonstrations come first and the query last, which is what a server's prefix cache wants.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from manyshot.errors import EvaluationError
from manyshot.inference.primed import Answer, Scoring
from manyshot.tasks import Example, Task


class Endpoint:
    """A served model. Retries with back-off, at most `concurrency` requests at once, each distinct prompt asked once a run."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "none",
        concurrency: int = 8,
        retries: int = 5,
        timeout_seconds: float = 600,
        window: int | None = None,
    ) -> None:
        try:
            from openai import OpenAI
        except ImportError:
            raise EvaluationError(
                'endpoints need the package openai; install it with: pip install "manyshot[endpoint]"'
            ) from None
        self.url, self.model, self.window = url, model, window
        self.why_not_branched = None
        self._client = OpenAI(base_url=url, api_key=api_key, max_retries=retries, timeout=timeout_seconds)
        self._pool = ThreadPoolExecutor(max_workers=concurrency)
        self._known: dict[tuple[Any, ...], Any] = {}
        self.n_requests = 0

    def prime(
        self, task: Task, demonstrations: Sequence[Example] = (), *, scoring: Scoring = "raw", score_stop: bool = True
    ) -> "EndpointTask":
        """Return the task with its demonstrations; nothing is sent yet."""
        if scoring not in ("raw", "normalised"):
            raise EvaluationError(f"{scoring} scoring needs a local model; an endpoint scores raw or normalised")
        if task.template.chat is not None:
            raise EvaluationError(
                f'task "{task.name}": only a local model\'s chat template can be read; leave out chat'
            )
        primed = EndpointTask(self, task, scoring, score_stop=score_stop)
        primed.add(demonstrations)
        return primed

    def header_length(self, task: Task) -> int:
        """Return 0: only the server knows its tokens."""
        return 0

    def prompt_lengths(self, task: Task, inputs: Sequence[str]) -> np.ndarray:
        """Return zeros: only the server knows its tokens."""
        return np.zeros(len(inputs), np.int64)

    def answer_lengths(self, task: Task, outputs: Sequence[str]) -> np.ndarray:
        """Return zeros: only the server knows its tokens."""
        return np.zeros(len(outputs), np.int64)

    def example_lengths(self, task: Task, examples: Sequence[Example]) -> np.ndarray:
        """Return zeros: only the server knows its tokens."""
        return np.zeros(len(examples), np.int64)

    def complete(self, prompts: Sequence[str], **fields: Any) -> list[Any]:
        """Return one completion a prompt; a prompt already asked with the same fields is not asked again."""
        keys = [(prompt, *sorted((k, str(v)) for k, v in fields.items())) for prompt in prompts]
        fresh = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
        for key, choice in zip(fresh, self._pool.map(lambda p: self._one(p, fields), fresh.values()), strict=True):
            self._known[key] = choice
        return [self._known[key] for key in keys]

    def _one(self, prompt: str, fields: dict[str, Any]) -> Any:
        from openai import OpenAIError

        try:
            self.n_requests += 1
            return self._client.completions.create(model=self.model, prompt=prompt, temperature=0, **fields).choices[0]
        except OpenAIError as error:
            raise EvaluationError(
                f"{self.url}: {type(error).__name__} ({str(error).splitlines()[0][:160]}); check that the server runs and "
                f'serves "{self.model}" with /completions'
            ) from None


class EndpointTask:
    """A task and its demonstrations as text, answered by an endpoint."""

    def __init__(self, endpoint: Endpoint, task: Task, scoring: Scoring, *, score_stop: bool) -> None:
        self.endpoint, self.task, self.scoring, self.score_stop = endpoint, task, scoring, score_stop
        self.n_shots = 0
        self._text = task.template.render_header(task.instruction)

    @property
    def tokens_computed(self) -> int:
        """Return 0: what a server computes is its own affair."""
        return 0

    def add(self, demonstrations: Sequence[Example]) -> None:
        """Put more demonstrations behind those already there."""
        self._text += self._render(demonstrations)
        self.n_shots += len(demonstrations)

    def answer(
        self,
        inputs: Sequence[str],
        *,
        max_new_tokens: int = 64,
        full: bool = False,
        demonstrations: Sequence[Sequence[Example]] | None = None,
    ) -> list[Answer]:
        """Answer queries as a local model would, one request a query, or one a query and label."""
        own = [self._render(few) for few in demonstrations] if demonstrations is not None else [""] * len(inputs)
        template = self.task.template
        prompts = [self._text + more + template.render_prompt(x) for more, x in zip(own, inputs, strict=True)]
        if self.task.labels is not None:
            return self._choose(prompts, full=full)
        choices = self.endpoint.complete(prompts, max_tokens=max_new_tokens, stop=[template.stop])
        return [Answer(template.parse_answer(choice.text), float("nan")) for choice in choices]

    def _render(self, demonstrations: Sequence[Example]) -> str:
        t = self.task.template
        return "".join(t.render_prompt(e.input) + t.render_answer(e.output) + t.stop for e in demonstrations)

    def _choose(self, prompts: Sequence[str], *, full: bool) -> list[Answer]:
        labels, template = self.task.labels or (), self.task.template
        stop = template.stop if self.score_stop else ""
        ends = [template.render_answer(label) + stop for label in labels]
        texts = [prompt + end for prompt in prompts for end in ends]
        choices = self.endpoint.complete(texts, max_tokens=1, echo=True, logprobs=1)
        answers = []
        for i, prompt in enumerate(prompts):
            mine = choices[i * len(ends) : (i + 1) * len(ends)]
            sums = [self._sum(c, len(prompt), len(prompt) + len(end)) for c, end in zip(mine, ends, strict=True)]
            scores = [s / n if self.scoring == "normalised" else s for s, n in sums]
            best = int(np.argmax(scores))
            spread = {label: s for label, (s, _) in zip(labels, sums, strict=True)} if full else None
            answers.append(Answer(labels[best], sums[best][0], spread))
        return answers

    def _sum(self, choice: Any, start: int, end: int) -> tuple[float, int]:
        """Return the log-probability and number of the tokens whose text begins at characters start .. end - 1."""
        offsets = list(getattr(choice.logprobs, "text_offset", None) or [])
        logprobs = list(getattr(choice.logprobs, "token_logprobs", None) or [])
        if not offsets or offsets[0] != 0 or len(logprobs) != len(offsets):
            raise EvaluationError(
                f"{self.endpoint.url}: the answer holds no log-probabilities of the prompt (echo with logprobs), which scoring "
                "labels needs; use a server that has them, such as vLLM's, or tasks without a list of labels"
            )
        values = [v for at, v in zip(offsets, logprobs, strict=True) if start <= at < end]
        if start not in offsets:
            raise EvaluationError(
                f'task "{self.task.name}": the server joins the end of the prompt and the answer into one token, so the '
                "answer cannot be scored alone; change the template's space between them"
            )
        return float(sum(values)), len(values)
