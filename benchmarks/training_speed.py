"""Training speed: our trainer, a bare PyTorch loop with the same head, and the stock Trainer's loss, on the same rows and model.

    python benchmarks/training_speed.py --json

Each variant trains a fresh copy of the same random model on the same many-shot rows in a process of its own; the variants
take turns, several rounds, and medians are compared, because machines are noisy. `share_of_bare_loop` is ours over a loop
with the same target-only head, the same AdamW and the same autocast; `speedup_vs_stock_loss` is ours over transformers'
Trainer with its own loss, which makes logits at every position. Last line: one JSON object.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

VARIANTS = ("ours", "bare_loop", "stock_trainer")


def make_rows(n_rows: int, n_tokens: int, vocabulary: int, answer_share: float = 0.1) -> list[dict[str, Any]]:
    """Return random many-shot rows: examples of 40 tokens, a share of each an answer."""
    import numpy as np

    rng = np.random.default_rng(0)
    length, answer = 40, max(1, round(40 * answer_share))
    rows = []
    for _ in range(n_rows):
        ids = rng.integers(0, vocabulary, n_tokens)
        starts = np.arange(0, n_tokens - length + 1, length)
        bounds = np.stack([starts, starts + length - answer, starts + length], axis=1)
        labels = np.full(n_tokens, -100)
        for _, begin, end in bounds:
            labels[begin:end] = ids[begin:end]
        rows.append({"input_ids": ids, "labels": labels, "bounds": bounds, "is_text": False})
    return rows


def make_model(arguments: argparse.Namespace) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=arguments.vocabulary,
        hidden_size=arguments.hidden,
        intermediate_size=arguments.hidden * 11 // 4,
        num_hidden_layers=arguments.layers,
        num_attention_heads=arguments.hidden // 32,
        num_key_value_heads=arguments.hidden // 32,
        head_dim=32,
        max_position_embeddings=arguments.tokens,
        tie_word_embeddings=True,
    )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def time_variant(variant: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Train one variant and return its median seconds a step, tokens a second, last loss and peak bytes."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from manyshot.objectives import ObjectiveOptions
    from manyshot.training import EpisodeCollator, ManyShotTrainer
    from manyshot.training.options import cpu_has_bf16

    torch.set_num_threads(arguments.threads)
    model, steps, batch = make_model(arguments), arguments.steps, arguments.batch
    rows = make_rows(steps * batch, arguments.tokens, arguments.vocabulary)
    bf16 = torch.cuda.is_available() or cpu_has_bf16()
    seconds: list[float] = []
    losses: list[float] = []
    objective = ObjectiveOptions(averaging="token")

    class Clock(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            seconds.append(time.perf_counter() - self.began)

        def on_log(self, *args: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
            losses.extend([logs["loss"]] if logs and "loss" in logs else [])

    if variant == "bare_loop":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model.to(device).train()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True, weight_decay=0.0)
        for step in range(steps):
            began = time.perf_counter()
            chosen = rows[step * batch : (step + 1) * batch]
            ids = torch.stack([torch.as_tensor(row["input_ids"]) for row in chosen]).to(device)
            labels = torch.stack([torch.as_tensor(row["labels"]) for row in chosen]).to(device)
            on = labels[:, 1:] != -100
            keep = torch.nn.functional.pad(on, (0, 1), value=False)
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                logits = model(input_ids=ids, logits_to_keep=keep, use_cache=False).logits.reshape(
                    -1, arguments.vocabulary
                )
                loss = torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][on])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.item())
            seconds.append(time.perf_counter() - began)
    else:
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                output_dir=folder,
                max_steps=steps,
                per_device_train_batch_size=batch,
                learning_rate=1e-4,
                lr_scheduler_type="constant",
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                bf16=bf16,
                use_cpu=not torch.cuda.is_available(),
                remove_unused_columns=variant == "stock_trainer",
                train_sampling_strategy="sequential",
            )
            kind: Any = ManyShotTrainer if variant == "ours" else Trainer
            extra: dict[str, Any] = {"objective": objective} if variant == "ours" else {"data_collator": stack}
            if variant == "ours":
                extra["data_collator"] = EpisodeCollator(objective)
            trainer = kind(model=model, args=settings, train_dataset=rows, callbacks=[Clock()], **extra)
            from transformers.trainer_callback import PrinterCallback

            trainer.remove_callback(PrinterCallback)
            trainer.train()
    median = statistics.median(seconds[1:])
    return {
        "seconds_per_step": median,
        "tokens_per_second": batch * arguments.tokens / median,
        "first_loss": losses[0],
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def stack(rows: list[dict[str, Any]]) -> dict[str, Any]:
    import torch

    return {key: torch.stack([torch.as_tensor(row[key]) for row in rows]) for key in ("input_ids", "labels")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print only the last line")
    parser.add_argument("--smoke", action="store_true", help="a tiny model and few steps, to see that everything runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--vocabulary", type=int, default=50257)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variant", choices=VARIANTS, help="run one variant in this process and print its result")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.rounds, arguments.steps, arguments.tokens, arguments.vocabulary = 1, 3, 256, 500
        arguments.hidden, arguments.layers = 64, 2
    if arguments.variant:
        print(json.dumps(time_variant(arguments.variant, arguments)))
        return
    results: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for number in range(arguments.rounds):
        for variant in VARIANTS:
            results[variant].append(in_process(variant, arguments))
            if not arguments.json:
                print(
                    f"round {number}  {variant}: {results[variant][-1]['tokens_per_second']:,.0f} tokens/s", flush=True
                )
    speed = {v: statistics.median(r["tokens_per_second"] for r in rs) for v, rs in results.items()}
    losses = [r["first_loss"] for rs in results.values() for r in rs]
    print(
        json.dumps(
            {
                "tokens_per_second": {v: round(s, 1) for v, s in speed.items()},
                "share_of_bare_loop": round(speed["ours"] / speed["bare_loop"], 3),
                "speedup_vs_stock_loss": round(speed["ours"] / speed["stock_trainer"], 3),
                "peak_bytes": {v: int(max(r["peak_bytes"] for r in rs)) for v, rs in results.items()},
                "first_loss_spread": round(max(losses) - min(losses), 6),
                "rounds": arguments.rounds,
                "tokens_per_row": arguments.tokens,
                "rows_per_batch": arguments.batch,
                "vocabulary": arguments.vocabulary,
                "threads": arguments.threads,
            }
        )
    )


def in_process(variant: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Run one variant in a process of its own, so that memory and warm caches are its own too."""
    names = ("steps", "batch", "tokens", "vocabulary", "hidden", "layers", "threads")
    flags = [part for name in names for part in (f"--{name}", str(getattr(arguments, name)))]
    command = [sys.executable, __file__, "--variant", variant, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
