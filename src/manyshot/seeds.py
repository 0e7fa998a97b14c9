"""One rule for randomness: every draw has a seed derived from the run's seed and the draw's own name."""

import hashlib
import operator

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, in order, and on nothing else.

    Global generators are never used, so adding a draw somewhere cannot change another one.
    """
    digest = hashlib.blake2b(str(operator.index(seed)).encode(), digest_size=8)
    for name in names:
        data = b"s" + name.encode() if isinstance(name, str) else b"i" + str(operator.index(name)).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(digest.digest(), "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a fresh numpy generator for the draw called `names`."""
    return np.random.default_rng(derive(seed, *names))
