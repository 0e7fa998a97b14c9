"""One rule for randomness: every draw has a seed derived from the run's seed and the draw's own name."""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, in order, and on nothing else.

    Global generators are never used, so adding a draw somewhere cannot change another one.
    """
    text = "\x1f".join([str(int(seed)), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a fresh numpy generator for the draw called `names`."""
    return np.random.default_rng(derive(seed, *names))
