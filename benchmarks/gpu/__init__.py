"""Measurements that need a GPU, made ready beforehand: `python -m benchmarks.gpu SUBCOMMAND`, from the repository's root."""
