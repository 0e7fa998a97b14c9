"""Label scoring behind 256 to 1024 shots: ours against lm-evaluation-harness on the card, by benchmarks/inference_speed.py.

One run of that benchmark a number of shots, each side in a process of its own; its numbers stand here by shots. float32 on both
sides, so that the log-probabilities can be compared. Real tasks from carry/ where it is there, else generated ones.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.carried import data_folder
from benchmarks.gpu.limit import Clock
from benchmarks.gpu.record import write_result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's options."""
    parser.add_argument("--shots", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--window", type=int, default=65536, help="tokens that the models are made for")
    parser.add_argument("--queries", type=int, default=64, help="of ours; the harness is timed on few")


def run(arguments: argparse.Namespace) -> None:
    """Compare at every number of shots while there is time, and write what there is after each."""
    began, clock = time.perf_counter(), Clock(arguments.minutes)
    shots = [8] if arguments.smoke else arguments.shots
    data = data_folder(arguments.work) if not arguments.smoke else None
    found: dict[str, Any] = {}
    longest = 0.0
    for k in shots:
        # twice the shots cost the harness about four times
        if clock.seconds_left < 2 * longest:
            found[str(k)] = {"failed": f"not begun: {clock.seconds_left:.0f} s were left"}
        else:
            started = time.monotonic()
            found[str(k)] = compare(k, data, arguments, clock)
            longest = max(longest, time.monotonic() - started)
        print(f"{k} shots: {found[str(k)]}", flush=True)
        result = {"by_shots": found, "data": "generated" if data is None else "real tasks", "dtype": "float32"}
        print(write_result(arguments.out, "inference_speed", began, result), flush=True)


def compare(shots: int, data: Path | None, arguments: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Run the benchmark at one number of shots; one that fails or does not end in time is a result too."""
    command = [sys.executable, "-m", "benchmarks.inference_speed", "--json", "--data", str(data or "none")]
    if arguments.smoke:
        command += ["--smoke"]
    else:
        for name in ("hidden", "layers", "window", "queries"):
            command += [f"--{name}", str(getattr(arguments, name))]
        command += ["--shots", str(shots), "--threads", "8"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=max(1, clock.seconds_left))
    except subprocess.TimeoutExpired:
        return {"failed": "the time was up"}
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr, flush=True)
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])
