"""Which of several processes this one is, and waiting for the first, which alone measures and writes. One alone never waits."""

from datetime import timedelta
from typing import Any

# the first process may measure for days between two trainings, longer than any time-out of the processes' own talk
_PATIENCE = timedelta(days=30)


class Ranks:
    """The processes of one run, as transformers' TrainingArguments have found and joined them."""

    def __init__(self, arguments: Any) -> None:
        self.is_main = arguments.process_index == 0
        self._group: Any = None
        if arguments.world_size > 1:
            import torch.distributed as dist

            # a group of its own: nothing but waiting has so much time
            self._group = dist.new_group(backend="gloo", timeout=_PATIENCE)

    def wait(self) -> None:
        """Return once every process has come here. A process that ends before makes this an error, and torchrun ends all."""
        if self._group is not None:
            import torch.distributed as dist

            dist.barrier(group=self._group)
