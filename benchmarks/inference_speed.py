"""Many-shot label scoring: lm-evaluation-harness and ours, each in a process of its own, on the same model and tokens.

    python benchmarks/inference_speed.py --json

Both score the same queries behind the same demonstrations, labels without stop text; the token ids of every (query, label) are
asserted to be the same. The harness reads the whole prompt again for every query (and for every label of several tokens), so
its cost a query is constant and it is timed on few queries; ours is timed on all of them with the reading of the
demonstrations included. `speedup_*` is the ratio of seconds a query. Real tasks (trec, banking77) are used where there are
any (`--data`), else generated ones. Two model shapes: one whose head is under 15 % of the work, and one with a vocabulary of
50k. Last line: one JSON object.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIDES = ("manyshot", "lm_eval")


def few_labels(data: Path) -> Any:
    """A task with 6 short labels."""
    from manyshot.tasks import load_task

    if (data / "classification" / "trec").is_dir():
        return load_task(data / "classification" / "trec")
    return generated_task("kinds", [f"group {i}" for i in range(6)])


def many_labels(data: Path) -> Any:
    """A task with 77 labels of several tokens."""
    from manyshot.tasks import load_task

    if (data / "classification" / "banking77").is_dir():
        return load_task(data / "classification" / "banking77")
    return generated_task("intents", [f"the customer asks about matter number {i} of ours" for i in range(77)])


def most_labels(data: Path) -> Any:
    """A task with 150 labels."""
    from manyshot.tasks import load_task

    if (data / "classification" / "clinc150").is_dir():
        return load_task(data / "classification" / "clinc150")
    return generated_task("requests", [f"request of kind {i}" for i in range(150)])


def generated_task(name: str, labels: list[str], n: int = 1000) -> Any:
    import numpy as np

    from manyshot.tasks import Example, Task

    rng = np.random.default_rng(0)
    words = [
        f"{a}{b}" for a in ("ka", "lo", "mi", "ru", "te", "so") for b in ("bin", "dar", "fel", "gom", "hus", "jat")
    ]
    rows = [
        Example(" ".join(rng.choice(words, 10)) + f" {i} ?", labels[int(rng.integers(len(labels)))]) for i in range(n)
    ]
    return Task(name, "classification", "", "accuracy", tuple(labels), train=rows[: n - 100], test=rows[n - 100 :])


def make_model(folder: Path, task_texts: list[str], vocabulary: int, arguments: argparse.Namespace) -> None:
    """Write a random model and a tokenizer of the task's own texts; the 50k vocabulary is GPT-2's, where it is there."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    from manyshot.models import load_tokenizer, train_tokenizer

    large = arguments.data.parent / "models" / "gpt2_tokenizer"
    if vocabulary > arguments.vocabulary and large.is_dir():
        tokenizer = load_tokenizer(large)
    else:
        tokenizer = train_tokenizer(task_texts, min(vocabulary, arguments.vocabulary))
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=arguments.hidden,
        intermediate_size=arguments.hidden * 11 // 4,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.hidden // 32,
        num_key_value_heads=arguments.hidden // 32,
        head_dim=32,
        max_position_embeddings=arguments.window,
        tie_word_embeddings=True,
        eos_token_id=0,
        pad_token_id=1,
        # wide enough that labels differ in probability, as they would in a trained model
        initializer_range=0.08,
    )
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def chosen(task: Any, shots: int, queries: int) -> tuple[list[Any], list[str]]:
    """Demonstrations and queries that both sides read."""
    from manyshot.episodes import draw_demonstrations, draw_queries

    examples = [task.train[i] for i in draw_demonstrations(task, shots, 0, 0)]
    return examples, [task.test[i].input for i in draw_queries(task, queries, 0)]


def read_task(arguments: argparse.Namespace) -> Any:
    from manyshot.tasks import load_task

    return load_task(arguments.task)


def run_manyshot(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    from manyshot.inference import Reader
    from manyshot.models import load_model

    torch.set_num_threads(arguments.threads)
    loaded, task = load_model(arguments.model), read_task(arguments)
    reader = Reader(loaded.model, loaded.tokenizer)
    demonstrations, queries = chosen(task, arguments.shots, arguments.queries)
    reader.prime(task).answer(queries[:1], full=True)  # warms the libraries up, as the harness is too
    began = time.perf_counter()
    primed = reader.prime(task, demonstrations, score_stop=False)
    prefill_seconds = time.perf_counter() - began
    answers = primed.answer(queries)
    seconds = time.perf_counter() - began
    peak = peak_bytes()
    computed, needed = primed.tokens_computed, primed.tokens_needed
    # every label's score and the exact ids, for the comparison; not timed
    compared = queries[: arguments.compared]
    spread = primed.answer(compared, full=True)
    encoder = reader.encoder
    labels = list(encoder.answers(task, task.labels, stop=False))
    ids = [
        [[*primed.prefix.ids.tolist(), *p.tolist(), *y.tolist()] for y in labels]
        for p in encoder.prompts(task, compared)
    ]
    return {
        "seconds_per_query": seconds / len(queries),
        "prefill_seconds": prefill_seconds,
        "predictions": [answer.output for answer in answers],
        "label_tokens": [len(y) for y in labels],
        "logprobs": [[answer.logprobs[y] for y in task.labels] for answer in spread if answer.logprobs],
        "ids": ids,
        "tokens_computed": computed,
        "tokens_lower_bound": needed,
        "peak_bytes": peak,
    }


def run_lm_eval(arguments: argparse.Namespace) -> dict[str, Any]:
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(arguments.threads)
    task = read_task(arguments)
    demonstrations, queries = chosen(task, arguments.shots, arguments.queries)
    queries = queries[: arguments.compared]
    template = task.template
    before = template.render_header(task.instruction) + "".join(
        template.render_prompt(e.input) + template.render_answer(e.output) + template.stop for e in demonstrations
    )
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    # where ours is put too
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, max_length=arguments.window)
    pairs = [(before + template.render_prompt(q), template.render_answer(y)) for q in queries for y in task.labels]
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    harness.loglikelihood([Instance("loglikelihood", {}, ("warm", " up"), 0)], disable_tqdm=True)
    began = time.perf_counter()
    found = harness.loglikelihood(requests, disable_tqdm=True)
    seconds = time.perf_counter() - began
    peak = peak_bytes()
    n = len(task.labels)
    ids = [[token for part in harness._encode_pair(*pair) for token in part] for pair in pairs]
    return {
        "seconds_per_query": seconds / len(queries),
        "logprobs": [[score for score, _ in found[i : i + n]] for i in range(0, len(found), n)],
        "ids": [ids[i : i + n] for i in range(0, len(ids), n)],
        "peak_bytes": peak,
    }


def peak_bytes() -> int:
    """Return the most memory this process has held: the card's where there is one, else its own."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def compare(name: str, task: Any, vocabulary: int, compared: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run both sides on one task and model shape and compare them."""
    from manyshot.tasks import save_task

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        save_task(task, root / "task")
        # of the inputs alone: a general tokenizer does not know a task's labels as single pieces
        texts = [task.template.render_prompt(e.input) + "\n" for e in task.train]
        make_model(root / "model", texts, vocabulary, arguments)
        sides = {}
        for side in SIDES:
            flags = [
                part
                for key in ("shots", "queries", "threads", "window")
                for part in (f"--{key}", str(getattr(arguments, key)))
            ]
            command = [sys.executable, __file__, "--side", side, "--compared", str(compared), *flags]
            command += [
                "--model",
                str(root / "model"),
                "--task",
                str(root / "task"),
                "--result",
                str(root / f"{side}.json"),
            ]
            environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "HF_HUB_OFFLINE": "1"}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
            if done.returncode:
                raise SystemExit(done.stderr[-3000:])
            sides[side] = json.loads((root / f"{side}.json").read_text())
            if not arguments.json:
                print(f"{name}  {side}: {sides[side]['seconds_per_query']:.4f} seconds a query", flush=True)
    ours, theirs = sides["manyshot"], sides["lm_eval"]
    agreed = total = 0
    widest = 0.0
    for a, b in zip(ours["logprobs"], theirs["logprobs"], strict=True):
        widest = max(widest, *(abs(x - y) for x, y in zip(a, b, strict=True)))
        for i in range(len(a)):
            for j in range(i):
                if abs(b[i] - b[j]) > 1e-5:  # ties are no disagreement
                    total += 1
                    agreed += (a[i] > a[j]) == (b[i] > b[j])
    best = [max(range(len(b)), key=b.__getitem__) for b in theirs["logprobs"]]
    right = [task.labels[i] == p for i, p in zip(best, ours["predictions"], strict=False)]
    return {
        "speedup": theirs["seconds_per_query"] / ours["seconds_per_query"],
        "token_ids_equal": ours["ids"] == theirs["ids"],
        "order_agreement": agreed / max(1, total),
        "prediction_agreement": sum(right) / len(right),
        "max_abs_logprob_diff": widest,
        "tokens_computed": ours["tokens_computed"],
        "tokens_lower_bound": ours["tokens_lower_bound"],
        "seconds_per_query": {side: result["seconds_per_query"] for side, result in sides.items()},
        "prefill_seconds": ours["prefill_seconds"],
        "mean_label_tokens": sum(ours["label_tokens"]) / len(ours["label_tokens"]),
        "peak_bytes": ours["peak_bytes"],
        "peak_bytes_lm_eval": theirs["peak_bytes"],
    }


def label_cost(model_path: str, task: Any, arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds for 32 queries behind 16 shots, their reading included, with more and more labels, over the seconds with two."""
    from dataclasses import replace
    from statistics import median

    import torch

    from manyshot.inference import Reader
    from manyshot.models import load_model

    torch.set_num_threads(arguments.threads)
    loaded = load_model(model_path)
    reader = Reader(loaded.model, loaded.tokenizer)
    _, queries = chosen(task, 0, arguments.queries)
    # the same demonstrations for every number of labels, so that nothing but the labels differs
    shown = [e for e in task.train if e.output in task.labels[:2]][:16]
    seconds: dict[int, list[float]] = {}
    for round_ in range(6):
        for n in (2, 20, len(task.labels)):
            few = replace(task, labels=task.labels[:n], train=shown, test=())
            primed = reader.prime(few, shown)
            began = time.perf_counter()
            primed.answer(queries)
            if round_:  # the first round warms up
                seconds.setdefault(n, []).append((time.perf_counter() - began) / len(queries))
    least = median(seconds[2])
    return {str(n): round(median(s) / least, 3) for n, s in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--smoke", action="store_true", help="few shots and a tiny model, to see that everything runs")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--shots", type=int, default=256)
    parser.add_argument("--queries", type=int, default=32)
    parser.add_argument("--lm-eval-queries", type=int, default=8)
    parser.add_argument("--lm-eval-queries-many-labels", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=2048, help="pieces of the small-head shape")
    parser.add_argument("--window", type=int, default=16384, help="tokens that the models are made for")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tuned", help="a tuned model's folder, for the cost of more labels")
    parser.add_argument(
        "--label-cost-only", action="store_true", help="with --tuned: nothing but the cost of more labels"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    for hidden in ("--model", "--task", "--result"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--compared", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        result = {"manyshot": run_manyshot, "lm_eval": run_lm_eval}[arguments.side](arguments)
        Path(arguments.result).write_text(json.dumps(result))
        return
    if arguments.smoke:
        arguments.shots, arguments.queries, arguments.hidden, arguments.layers = 8, 4, 64, 2
        arguments.lm_eval_queries = 2
    few, many = few_labels(arguments.data), many_labels(arguments.data)
    cost = label_cost(arguments.tuned, most_labels(arguments.data), arguments) if arguments.tuned else None
    if arguments.label_cost_only:
        print(json.dumps({"label_cost_tuned": cost, "model": Path(arguments.tuned).name, "queries": arguments.queries}))
        return
    large = 50257 if not arguments.smoke else 5000
    results = {
        "few": compare("6 labels", few, arguments.vocabulary, arguments.lm_eval_queries, arguments),
        "v50k": compare("6 labels, vocabulary 50k", few, large, arguments.lm_eval_queries, arguments),
        "many": compare("77 labels", many, arguments.vocabulary, arguments.lm_eval_queries_many_labels, arguments),
    }
    every = results.values()
    line: dict[str, Any] = {
        "shots": arguments.shots,
        "queries": arguments.queries,
        "lm_eval_queries": arguments.lm_eval_queries,
        "lm_eval_queries_many_labels": arguments.lm_eval_queries_many_labels,
        "lm_eval_cost_per_query": "constant, so few queries are timed",
        "token_ids_equal": all(r["token_ids_equal"] for r in every),
        "speedup_vs_lm_eval": round(results["few"]["speedup"], 1),
        "speedup_many_labels": round(results["many"]["speedup"], 1),
        "speedup_v50k": round(results["v50k"]["speedup"], 1),
        "prediction_agreement": min(r["prediction_agreement"] for r in every),
        "order_agreement": round(min(r["order_agreement"] for r in every), 6),
        "max_abs_logprob_diff": max(r["max_abs_logprob_diff"] for r in every),
        "tokens_computed": sum(r["tokens_computed"] for r in every),
        "tokens_lower_bound": sum(r["tokens_lower_bound"] for r in every),
        "peak_bytes": max(r["peak_bytes"] for r in every),
        "peak_bytes_lm_eval": max(r["peak_bytes_lm_eval"] for r in every),
        "seconds_per_query": {name: r["seconds_per_query"] for name, r in results.items()},
        "prefill_seconds": {name: round(r["prefill_seconds"], 3) for name, r in results.items()},
        "mean_label_tokens": {name: round(r["mean_label_tokens"], 2) for name, r in results.items()},
        "threads": arguments.threads,
    }
    if cost is not None:
        line["label_cost_tuned"] = cost
    print(json.dumps(line))


if __name__ == "__main__":
    main()
