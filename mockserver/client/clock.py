"""The two clocks of a sandbox, as Python moves them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from mockserver.client.tracebacks import hides_frames
from mockserver.model import times
from mockserver.model.times import Duration, spelled

__tracebackhide__ = hides_frames


class Clock:
    """A sandbox's two clocks: the sandbox clock, and the auth clock that checks signatures.

    sandbox.clock.advance("61s")

    A duration is a number of seconds, text (``250ms``, ``61s``, ``1m30s``) or a timedelta;
    an instant is RFC 3339 text or an aware datetime.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def advance(self, duration: Duration) -> None:
        """Moves the sandbox clock forward."""
        self._call("POST", "/clock", {"advance": spelled(duration)})

    def freeze(self, frozen: bool = True) -> None:
        """Stops the sandbox clock; ``unfreeze()`` starts it again."""
        self._call("POST", "/clock", {"freeze": frozen})

    def unfreeze(self) -> None:
        """Starts the sandbox clock again from where it stopped."""
        self.freeze(False)

    def set(self, time: str | datetime) -> None:
        """Sets the sandbox clock to an instant, ``2026-01-01T00:00:00Z``, never backwards."""
        self._call("POST", "/clock", {"set": spelled(time)})

    def rate(self, rate: float) -> None:
        """Sets the speed of the sandbox clock: 1 is real time, 60 a minute per second."""
        self._call("POST", "/clock", {"rate": rate})

    def skew(self, duration: Duration) -> None:
        """Sets how far the auth clock is ahead of real time; negative is behind."""
        self._call("POST", "/clock", {"skew": spelled(duration)})

    def skew_to(self, time: str | datetime) -> None:
        """Sets the auth clock to an instant, from which it runs on: also backwards."""
        self._call("POST", "/clock", {"auth_time": spelled(time)})

    @property
    def now(self) -> datetime:
        """The sandbox time, in UTC, to the microsecond."""
        return times.to_datetime(self.now_ns)

    @property
    def now_ns(self) -> int:
        """The sandbox time, in nanoseconds since the epoch."""
        return times.parse_instant(self._call("GET", "/clock")["now"])

    @property
    def auth_now(self) -> datetime:
        """The time of the auth clock, in UTC, to the microsecond."""
        return times.to_datetime(times.parse_instant(self._call("GET", "/clock")["auth_now"]))
