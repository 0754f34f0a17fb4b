"""The model of a rate limit: a list of times. And a second opinion on it, of a library.

A fixed window is a span of the epoch, a rolling one ends with the call that is judged.
"""

import threading
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, memory
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from contract_tests.machines.bench import SECOND

ENDLESS = 10**9


class Idle:
    """A timer that never goes off: what it would throw away is out of date either way."""

    def __init__(self, *_: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def is_alive(self) -> bool:
        return True


class Opinion:
    """What the library ``limits`` says of a limit; its second is our nanosecond.

    Its fixed window begins with the first call in it, ours with the epoch: so its clock is told
    when ours began. Its moving window is asked by ``test``, in which a call leaves the window
    at its very end as it does here; in ``hit`` it would leave a moment later, so calls are put
    in without asking.
    """

    now = 0

    @classmethod
    def with_our_time(cls) -> pytest.MonkeyPatch:
        """Lets the library read our clock, until that is undone."""
        patch = pytest.MonkeyPatch()
        patch.setattr(memory, "time", SimpleNamespace(time=lambda: cls.now))
        patch.setattr(memory, "threading", SimpleNamespace(RLock=threading.RLock, Timer=Idle))
        return patch

    def __init__(self, count: int, window: int, rolling: bool) -> None:
        self._window, self._rolling = window, rolling
        self._item = RateLimitItemPerSecond(count, window)
        self._storage = MemoryStorage()
        kind = MovingWindowRateLimiter if rolling else FixedWindowRateLimiter
        self._limiter = kind(self._storage)

    def lets_through(self, caller: str, now: int) -> bool:
        self._at(now)
        return self._limiter.test(self._item, caller)

    def take(self, caller: str, now: int) -> None:
        self._at(now)
        if self._rolling:
            key = self._item.key_for(caller)
            assert self._storage.acquire_entry(key, ENDLESS, self._window)
        else:
            assert self._limiter.hit(self._item, caller)

    def _at(self, now: int) -> None:
        Opinion.now = now if self._rolling else now // self._window * self._window


class Window:
    """The model of a limit: the times of accepted calls by caller, and nothing clever."""

    def __init__(self, written: str, rolling: bool) -> None:
        self.written, self.rolling = written, rolling
        count, _, window = written.partition("/")
        self.count = None if written == "off" else int(count)
        self.span = int(window.removesuffix("s") or 1) * SECOND
        self.times: dict[str, list[int]] = defaultdict(list)
        self.opinion = None if self.count is None else Opinion(self.count, self.span, rolling)

    def inside(self, time: int, now: int) -> bool:
        if self.rolling:
            return now - time < self.span
        return time // self.span == now // self.span

    def lets_through(self, caller: str, now: int) -> bool:
        if self.count is None:
            return True
        good = sum(self.inside(time, now) for time in self.times[caller]) < self.count
        assert self.opinion.lets_through(caller, now) == good, "the library thinks otherwise"
        return good

    def take(self, caller: str, now: int) -> None:
        self.times[caller].append(now)
        if self.opinion:
            self.opinion.take(caller, now)

    def frees(self, now: int) -> list[int]:
        """Returns when the window of a caller opens again."""
        times = [time for known in self.times.values() for time in known]
        if self.rolling:
            return [time + self.span for time in times if time + self.span > now]
        return [(now // self.span + 1) * self.span]
