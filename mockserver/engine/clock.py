"""The two times of a sandbox, in nanoseconds since the epoch.

The *clock* can be moved and drives windows, expiry and events. The *auth clock*
is real time plus ``skew`` and judges signatures, because real clients sign with
real time: moving the clock must never break a client. What passes on the *clock* is
monotonic: a machine's clock that is set does not move it.
"""

import threading
from collections.abc import Callable
from fractions import Fraction

from mockserver.errors import SettingError
from mockserver.model.times import CENTURY

RATE_MAX = 1_000_000
REAL = Fraction(1)  # the rate of real time; asked for by identity, which costs nothing
END = 253_402_300_799 * 1_000_000_000  # the last second of the year 9999: the clock stops


class NeverBackwards:
    """Monotonic time made of a source of real time: what it goes back by is left out."""

    def __init__(self, real: Callable[[], int]) -> None:
        self._real = real
        self._last = self._sum = real()
        self._lock = threading.Lock()

    def __call__(self) -> int:
        """Returns the time in nanoseconds."""
        with self._lock:
            real = self._real()
            self._sum += max(0, real - self._last)
            self._last = real
            return self._sum


class Clock:
    """Both times, on top of ``real``, a source of real time, and ``monotonic``, a monotonic one."""

    def __init__(self, real: Callable[[], int], monotonic: Callable[[], int] | None = None) -> None:
        self.real = real
        self.monotonic = monotonic or NeverBackwards(real)
        self._anchor = self.monotonic()
        self._then = real()
        self.rate = REAL
        self.frozen = False
        self.skew = 0

    def read(self) -> tuple[int, int, int]:
        """Returns sandbox time, auth time and real time, all of one moment."""
        real = self.real()
        return self._at(self.monotonic()), real + self.skew, real

    def now(self) -> int:
        """Returns the sandbox time."""
        return self._at(self.monotonic())

    def _at(self, monotonic: int) -> int:
        if self.frozen:
            return self._then
        passed = monotonic - self._anchor
        if self.rate is not REAL:
            passed = int(passed * self.rate)
        return min(self._then + passed, END)

    def advance(self, duration: int) -> None:
        """Moves the clock forward; raises SettingError for a negative or a huge duration."""
        if not 0 <= duration <= CENTURY:
            raise SettingError("advance takes a duration between 0 and 100 years")
        self._settle()
        self._reach(self._then + duration)

    def freeze(self, frozen: bool = True) -> None:
        """Stops the clock, or lets it run on from where it stopped."""
        self._settle()
        self.frozen = frozen

    def set(self, now: int) -> None:
        """Puts the clock at a time; raises SettingError when that lies behind."""
        self._settle()
        if not 0 <= now - self._then <= CENTURY:
            raise SettingError("the clock is never set backwards, nor 100 years ahead")
        self._reach(now)

    def run_at(self, rate: Fraction | int) -> None:
        """Lets the clock run ``rate`` times as fast as real time."""
        if not 0 < rate <= RATE_MAX:
            raise SettingError(f"rate must lie above 0, up to {RATE_MAX}")
        self._settle()
        self.rate = Fraction(rate) if rate != 1 else REAL

    def skew_by(self, duration: int) -> None:
        """Sets the auth clock off real time; raises SettingError for more than 100 years."""
        if abs(duration) > CENTURY:
            raise SettingError("skew takes a duration of at most 100 years, either way")
        self.skew = duration

    def _reach(self, now: int) -> None:
        if now > END:
            raise SettingError("the clock ends with the year 9999")
        self._then = now

    def _settle(self) -> None:
        monotonic = self.monotonic()
        self._then, self._anchor = self._at(monotonic), monotonic
