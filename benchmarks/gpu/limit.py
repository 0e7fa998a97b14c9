"""Work under a time limit. What is limited must leave good files wherever it is stopped: runs here are resumable."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """The minutes are over. No Exception, so that no library takes it for a failure of its own and goes on."""


class Clock:
    """Minutes that are left, from when it is made."""

    def __init__(self, minutes: float) -> None:
        self.ends = time.monotonic() + 60 * minutes

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the end, below 0 behind it."""
        return self.ends - time.monotonic()


@contextmanager
def stopped_after(clock: Clock) -> Iterator[None]:
    """Raise OutOfTime in the body when the clock has run out. Main thread only; a call into C is waited for."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    if clock.seconds_left <= 0:
        raise OutOfTime
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, clock.seconds_left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
