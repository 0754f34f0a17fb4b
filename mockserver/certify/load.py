"""The load of the machine: a client that gets no processor is not a client that hangs."""

import contextlib
import os
from pathlib import Path

BUSY = 0.9  # of all processors; above, a time limit says nothing about a client
STAT = Path("/proc/stat")
IDLE = slice(3, 5)  # idle and waiting for I/O, in the line of all processors


class Load:
    """Measures the share of processor time that is in use, between two moments."""

    def __init__(self) -> None:
        self._start = _times()

    def share(self) -> float:
        """Returns the share from 0 to 1 since the creation, by all processes of the machine."""
        now = _times()
        if self._start is None or now is None:
            return _average()
        total = now[0] - self._start[0]
        return 1 - (now[1] - self._start[1]) / total if total > 0 else 0.0

    def is_high(self) -> bool:
        """Returns whether the machine had hardly a processor to spare."""
        return self.share() >= BUSY


def _times() -> tuple[int, int] | None:
    """Returns all processor time and the idle part of it, None where the system has no file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with STAT.open(encoding="ascii") as file:
            numbers = [int(text) for text in file.readline().split()[1:9]]
        return sum(numbers), sum(numbers[IDLE])
    return None


def _average() -> float:
    """Returns the load average of the last minute per processor, at most 1."""
    try:
        return min(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)
    except (AttributeError, OSError):
        return 0.0
