"""Throughput of data: encoding and cached rows against the training of small models; memory as rows grow; opening a large folder.

    python benchmarks/throughput.py --json

Writes a task of N and one of 10 N rows to a temporary folder, with a byte-level BPE of 8192 pieces trained on them, and takes
one measurement a process, on one core. Speeds are tokens a CPU second of that process (`process_time`), because other jobs may
share the cores; seconds by the clock stand beside them. Encoding counts all of it: finding rows, hashing, parsing, the
tokenizer, writing the cache. Training is forward, backward and AdamW step with the head on answers only, under bf16 autocast
where the chip has it. Memory is the peak resident size (VmHWM). Last line: one JSON object.
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

LABELS = ("location", "number", "person", "thing")
# hidden size x layers, heads of 32
MODELS = ((128, 4), (256, 6))
BUDGET_TOKENS = 2048


# ---- what is measured


def write_task(folder: Path, n_rows: int, texts: list[str]) -> None:
    """Write a task folder: inputs in turn with a number of their own, so that no two rows are alike."""
    folder.mkdir(parents=True)
    described = {"name": folder.name, "metric": "accuracy", "instruction": "Say what is asked for.", "labels": LABELS}
    (folder / "task.json").write_text(json.dumps(described))
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for i in range(n_rows):
            row = {"input": f"{texts[i % len(texts)]} {i}", "output": LABELS[i * 7919 % len(LABELS)]}
            file.write(json.dumps(row) + "\n")


def make_texts(n: int) -> list[str]:
    """Return made-up questions whose words are as rare and as long as words are (Zipf; 1 to 4 syllables)."""
    import numpy as np

    rng = np.random.default_rng(0)
    syllables = [a + b + c for a in "bdfgklmnprstvz" for b in "aeiou" for c in ("", "n", "r", "s")]
    words = ["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(20_000)]
    weights = 1 / np.arange(1, len(words) + 1)
    drawn = rng.choice(len(words), (n, 10), p=weights / weights.sum())
    return [" ".join(words[i] for i in row[: 4 + k % 7]) + " ?" for k, row in enumerate(drawn)]


def make_dataset(folder: Path, tokenizer: Path) -> Any:
    """Return the rows of a task folder, from the cache or through it."""
    from transformers import PreTrainedTokenizerFast

    from manyshot.episodes import EpisodeDataset, EpisodeOptions
    from manyshot.tasks import load_task

    loaded = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    clock = Clock()
    rows = EpisodeDataset([load_task(folder)], loaded, EpisodeOptions(budget_tokens=BUDGET_TOKENS), n_rows=1 << 30)
    return rows, clock.read()


class Clock:
    """CPU seconds of this process and seconds by the clock since it was made."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return both."""
        return {"cpu_seconds": time.process_time() - self.cpu, "seconds": time.perf_counter() - self.wall}


def peak_mib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# ---- measurements, each in a process of its own


def open_folder(folder: Path) -> dict[str, float]:
    """Open a folder and read one example from its middle."""
    from manyshot.tasks import load_task

    before, clock = peak_mib(), Clock()
    task = load_task(folder)
    spent = clock.read()
    assert task.train[len(task.train) // 2].output in LABELS
    return {**spent, "n_rows": len(task.train), "peak_mib_more": peak_mib() - before}


def encode(folder: Path, tokenizer: Path) -> dict[str, float]:
    """Open and encode a folder into an empty cache."""
    rows, spent = make_dataset(folder, tokenizer)
    n_tokens = sum(int(task.lengths.sum()) for task in rows.tasks)
    return {**spent, "n_tokens": n_tokens, "tokens_per_second": n_tokens / spent["cpu_seconds"], "peak_mib": peak_mib()}


def read_rows(folder: Path, tokenizer: Path, n_tokens: int) -> dict[str, float]:
    """Make rows from a full cache until they hold a number of tokens."""
    rows, opened = make_dataset(folder, tokenizer)
    clock, n, read = Clock(), 0, 0
    while read < n_tokens:
        read += len(rows[n]["input_ids"])
        n += 1
    spent = clock.read()
    speed = read / spent["cpu_seconds"]
    return {
        **spent,
        "n_rows": n,
        "n_tokens": read,
        "tokens_per_second": speed,
        "open_seconds": opened["seconds"],
        "peak_mib": peak_mib(),
    }


def train(folder: Path, tokenizer: Path, hidden: int, layers: int, steps: int) -> dict[str, float]:
    """Train a random model of Qwen3's layout on rows of the cache; the first step is not counted."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    from manyshot.training.options import cpu_has_bf16

    torch.set_num_threads(1)
    rows, _ = make_dataset(folder, tokenizer)
    config = Qwen3Config(
        vocab_size=len(rows.encoder.tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 32,
        head_dim=32,
        max_position_embeddings=BUDGET_TOKENS,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    n_tokens, clock = 0, Clock()
    for step in range(steps + 1):
        row = rows[step]
        ids, labels = torch.as_tensor(row["input_ids"])[None], torch.as_tensor(row["labels"])[None]
        on = labels[:, 1:] != -100
        keep = torch.nn.functional.pad(on, (0, 1), value=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=cpu_has_bf16()):
            logits = model(input_ids=ids, logits_to_keep=keep, use_cache=False).logits.flatten(0, -2)
        torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][on]).backward()
        optimiser.step()
        optimiser.zero_grad()
        n_tokens += ids.numel()
        if step == 0:
            n_tokens, clock = 0, Clock()
    spent = clock.read()
    n_parameters = sum(p.numel() for p in model.parameters())
    return {**spent, "n_parameters": n_parameters, "tokens_per_second": n_tokens / spent["cpu_seconds"]}


# ---- all of them


def measure(part: str, cache: Path, *arguments: Any) -> dict[str, float]:
    """Take one measurement in a new process on one core."""
    command = [sys.executable, __file__, "--part", part, *map(str, arguments)]
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment = {**os.environ, **one, "MANYSHOT_CACHE": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def take_part(part: str, arguments: list[str]) -> dict[str, float]:
    folder = Path(arguments[0])
    if part == "open":
        return open_folder(folder)
    if part == "encode":
        return encode(folder, Path(arguments[1]))
    if part == "rows":
        return read_rows(folder, Path(arguments[1]), int(arguments[2]))
    return train(folder, Path(arguments[1]), *map(int, arguments[2:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--smoke", action="store_true", help="few rows, to see that everything runs")
    parser.add_argument(
        "--rows", type=int, default=200_000, help="rows of the smaller folder; the other has ten times as many"
    )
    parser.add_argument("--open-rows", type=int, default=2_000_000, help="rows of the folder whose opening is timed")
    parser.add_argument("--read-tokens", type=int, default=10_000_000, help="tokens of the rows read from the cache")
    parser.add_argument("--steps", type=int, default=6, help="training steps of one row")
    parser.add_argument("--part", choices=("open", "encode", "rows", "train"), help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(take_part(options.part, options.rest)))
        return
    if options.smoke:
        options.rows, options.open_rows, options.read_tokens, options.steps = 2000, 20_000, 50_000, 1

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        from manyshot.models import train_tokenizer

        root = Path(scratch)
        tokenizer, cache, small, large = (root / name for name in ("tokenizer", "cache", "small", "large"))
        texts = make_texts(min(100_000, 10 * options.rows))
        for folder, n in ((small, options.rows), (large, 10 * options.rows)):
            write_task(folder, n, texts)
        framed = (f"Input: {text} {i}\nOutput: {LABELS[i % 4]}\n" for i, text in enumerate(texts[:20_000]))
        train_tokenizer(framed, 8192).save_pretrained(tokenizer)
        if options.open_rows != 10 * options.rows:
            write_task(root / "opened", options.open_rows, texts)
        opened = measure("open", cache, large if options.open_rows == 10 * options.rows else root / "opened")
        say(f"open {opened['n_rows']:,} rows: {opened['seconds']:.2f} s, {opened['peak_mib_more']:.0f} MiB")
        encoded, read = [], []
        for folder in (small, large):
            encoded.append(measure("encode", cache, folder, tokenizer))
            say(
                f"encode {folder.name}: {encoded[-1]['tokens_per_second']:,.0f} tokens/s, {encoded[-1]['peak_mib']:.0f} MiB"
            )
            read.append(measure("rows", cache, folder, tokenizer, options.read_tokens))
            say(f"cached {folder.name}: {read[-1]['tokens_per_second']:,.0f} tokens/s, {read[-1]['peak_mib']:.0f} MiB")
        trained = []
        for hidden, layers in MODELS:
            trained.append(measure("train", cache, small, tokenizer, hidden, layers, options.steps))
            say(f"train {trained[-1]['n_parameters']:,} parameters: {trained[-1]['tokens_per_second']:,.0f} tokens/s")
    slower = min(e["tokens_per_second"] for e in encoded)
    result = {
        "rows": [options.rows, 10 * options.rows],
        "encode_tokens_per_second": [round(e["tokens_per_second"]) for e in encoded],
        "encode_cpu_seconds": [round(e["cpu_seconds"], 2) for e in encoded],
        "encode_seconds": [round(e["seconds"], 2) for e in encoded],
        "encoded_tokens": [e["n_tokens"] for e in encoded],
        "train_parameters": [t["n_parameters"] for t in trained],
        "train_tokens_per_second": [round(t["tokens_per_second"]) for t in trained],
        "encode_over_training": [round(slower / t["tokens_per_second"], 1) for t in trained],
        "cached_tokens_per_second": [round(r["tokens_per_second"]) for r in read],
        "cached_tokens_per_clock_second": [round(r["n_tokens"] / r["seconds"]) for r in read],
        "cached_open_seconds": [round(r["open_seconds"], 2) for r in read],
        "peak_mib_encoding": [round(e["peak_mib"], 1) for e in encoded],
        "peak_mib_cached_rows": [round(r["peak_mib"], 1) for r in read],
        "more_mib_at_ten_times_the_rows": round(
            max(pair[1]["peak_mib"] - pair[0]["peak_mib"] for pair in (encoded, read)), 1
        ),
        "open_seconds": round(opened["seconds"], 2),
        "open_cpu_seconds": round(opened["cpu_seconds"], 2),
        "open_rows": opened["n_rows"],
        "open_peak_mib_more": round(opened["peak_mib_more"], 1),
        "tokens_per_row": BUDGET_TOKENS,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
