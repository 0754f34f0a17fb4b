"""Monotonic time that no library which moves the time of a test moves.

time-machine replaces the wall clock in place; freezegun replaces functions of ``time`` wherever
a module names them, but none that is held in here, nor ``clock_gettime_ns``.
"""

import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

from mockserver.engine.clock import never_backwards


def _monotonic() -> Callable[[], int]:
    if hasattr(time, "clock_gettime_ns"):
        return partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    return time.monotonic_ns


HELD = SimpleNamespace(wall=time.time_ns, monotonic=_monotonic())


def monotonic_for(real: Callable[[], int]) -> Callable[[], int]:
    """Returns monotonic time in nanoseconds: the machine's, or what a given ``real`` makes."""
    monotonic_time: Callable[[], int] = (
        HELD.monotonic if real is HELD.wall else never_backwards(real)
    )
    return monotonic_time
