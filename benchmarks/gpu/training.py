"""Training speed of a 1B-class random model on long rows: our trainer against TRL's SFTTrainer, same rows, same settings.

Each variant at each length trains in a process of its own, so that its peak memory is its own. Both get the same fp32 weights
under bf16 autocast, the same fused AdamW, activation checkpointing or not, and rows of which a tenth are targets; the first
losses must agree. `share_of_bf16_peak` is benchmarks/gpu/flops.py's FLOP a second over the card's peak, for both alike.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.gpu.flops import training_flops
from benchmarks.gpu.limit import Clock
from benchmarks.gpu.record import card, peak_bytes, write_result
from benchmarks.training_speed import make_rows

VARIANTS = ("ours", "trl")
# Llama-3.2-1B's sizes in Qwen3's layout: 1.27B parameters, heads of 128
SIZES = {
    "vocab_size": 128_256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
SMALL = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
}
WARMUP_STEPS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's options."""
    parser.add_argument("--tokens", type=int, nargs="+", default=[8192, 16384, 32768], help="tokens a row")
    parser.add_argument("--step-tokens", type=int, default=32768, help="tokens an optimiser step, in as many rows")
    parser.add_argument("--steps", type=int, default=6, help=f"steps, of which {WARMUP_STEPS} warm up")
    parser.add_argument("--rounds", type=int, default=1, help="the variants take turns this often")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--no-checkpointing", action="store_true", help="keep all activations")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> None:
    """Time every variant at every length while there is time, and write what there is after each."""
    began, clock = time.perf_counter(), Clock(arguments.minutes)
    if arguments.smoke:
        arguments.tokens, arguments.step_tokens, arguments.steps = [128], 256, 3
    if arguments.variant:
        print(json.dumps(time_variant(arguments.variant, arguments.tokens[0], arguments)))
        return
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    skipped: list[str] = []
    longest = 0.0
    for tokens in arguments.tokens:
        for number in range(arguments.rounds):
            for variant in arguments.variants:
                if clock.seconds_left < longest:
                    skipped.append(f"{variant} at {tokens} tokens, round {number}")
                    continue
                started = time.monotonic()
                found.setdefault(str(tokens), {}).setdefault(variant, []).append(
                    in_process(variant, tokens, arguments, clock)
                )
                longest = max(longest, time.monotonic() - started)
                print(f"{tokens} tokens  {variant}: {found[str(tokens)][variant][-1]}", flush=True)
                write_result(arguments.out, "training_speed", began, summarise(found, skipped, arguments))
    print(write_result(arguments.out, "training_speed", began, summarise(found, skipped, arguments)))


def summarise(
    found: dict[str, dict[str, list[dict[str, float]]]], skipped: list[str], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return medians over rounds by length and variant, ours over TRL's, and how far the first losses lie apart."""
    lengths = {}
    for tokens, sides in found.items():
        variants = {}
        for variant, rounds in sides.items():
            failed = [r["failed"] for r in rounds if "failed" in r]
            done = [r for r in rounds if "failed" not in r]
            if failed:
                variants[variant] = {"failed": failed[0]}
            elif done:
                variants[variant] = {key: statistics.median(r[key] for r in done) for key in done[0]}
        row: dict[str, Any] = {"variants": variants}
        if all("tokens_per_second" in variants.get(v, {}) for v in VARIANTS):
            ours, trl = variants["ours"], variants["trl"]
            row["ours_over_trl"] = ours["tokens_per_second"] / trl["tokens_per_second"]
            row["memory_ours_over_trl"] = ours["peak_bytes"] / trl["peak_bytes"]
            row["first_loss_spread"] = abs(ours["first_loss"] - trl["first_loss"])
        lengths[tokens] = row
    return {
        "by_tokens_per_row": lengths,
        "tokens_per_step": arguments.step_tokens,
        "model": SMALL if arguments.smoke else SIZES,
        "checkpointing": not arguments.no_checkpointing,
        "flops_formula": "6 P N + 6 L h d T N + 6 V D n (benchmarks/gpu/flops.py)",
        "skipped_for_time": skipped,
    }


def time_variant(variant: str, tokens: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Train one variant in this process; return medians over its steps behind the warm-up."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config
    from transformers.trainer_callback import PrinterCallback, TrainerCallback

    torch.manual_seed(0)
    sizes = SMALL if arguments.smoke else SIZES
    # made where it is used: a billion random numbers take a CPU a while
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = Qwen3Config(**sizes, max_position_embeddings=max(tokens, 8192), tie_word_embeddings=True)
    with device:
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    n_rows = max(1, arguments.step_tokens // tokens)
    rows = make_rows(arguments.steps * n_rows, tokens, sizes["vocab_size"])
    seconds: list[float] = []
    losses: list[float] = []

    def synchronise() -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    class Stopwatch(TrainerCallback):
        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            synchronise()
            self.began = time.perf_counter()

        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            synchronise()
            seconds.append(time.perf_counter() - self.began)

        def on_log(self, *args: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
            losses.extend([logs["loss"]] if logs and "loss" in logs else [])

    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(variant, model, rows, settings(n_rows, folder, arguments), Stopwatch())
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    median = statistics.median(seconds[WARMUP_STEPS:])
    n_targets = sum(int((row["labels"] != -100).sum()) for row in rows[:n_rows])
    flops = sum(training_flops(config, tokens, n_rows, n_targets).values())
    peak = card()["bf16_peak_flops"]
    found = {
        "seconds_per_step": median,
        "tokens_per_second": n_rows * tokens / median,
        "peak_bytes": float(peak_bytes()),
        "flops_per_second": flops / median,
        "first_loss": losses[0],
    }
    return {**found, "share_of_bf16_peak": flops / median / peak} if peak else found


def settings(n_rows: int, folder: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of TrainingArguments that both variants get."""
    import torch

    from manyshot.training.options import cpu_has_bf16

    return {
        "output_dir": folder,
        "max_steps": arguments.steps,
        "per_device_train_batch_size": n_rows,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "bf16": torch.cuda.is_available() or cpu_has_bf16(),
        "use_cpu": not torch.cuda.is_available(),
        "train_sampling_strategy": "sequential",
        "activation_checkpointing": not arguments.no_checkpointing,
        "activation_checkpointing_kwargs": {"use_reentrant": False},
    }


def make_trainer(variant: str, model: Any, rows: list[dict[str, Any]], fields: dict[str, Any], clock: Any) -> Any:
    """Return a trainer of the variant on these rows."""
    if variant == "ours":
        from transformers import TrainingArguments

        from manyshot.objectives import ObjectiveOptions
        from manyshot.training import EpisodeCollator, ManyShotTrainer

        # as TRL averages: over all target tokens of the batch
        objective = ObjectiveOptions(averaging="token")
        return ManyShotTrainer(
            model=model,
            args=TrainingArguments(remove_unused_columns=False, **fields),
            train_dataset=rows,
            objective=objective,
            data_collator=EpisodeCollator(objective),
            callbacks=[clock],
        )
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from manyshot.models import train_tokenizer

    plain = Dataset.from_dict({key: [row[key].tolist() for row in rows] for key in ("input_ids", "labels")})
    # the rows are tokens already; it only asks the tokenizer which token pads
    return SFTTrainer(
        model=model,
        args=SFTConfig(max_length=None, **fields),
        train_dataset=plain,
        processing_class=train_tokenizer(["a b c"], 300),
        callbacks=[clock],
    )


def in_process(variant: str, tokens: int, arguments: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Time a variant in a process of its own; one that fails is a result too, with its last line."""
    command = [sys.executable, "-m", "benchmarks.gpu", "training_speed", "--variant", variant, "--tokens", str(tokens)]
    command += ["--steps", str(arguments.steps), "--step-tokens", str(arguments.step_tokens)]
    command += ["--smoke"] * arguments.smoke + ["--no-checkpointing"] * arguments.no_checkpointing
    limit = max(1, clock.seconds_left)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": "the time was up"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        print(done.stderr[-2000:], file=sys.stderr, flush=True)
        return {"failed": lines[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])
