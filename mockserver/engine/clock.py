"""The two clocks of a sandbox, in nanoseconds since the epoch.

The *sandbox clock* can be moved and drives windows, expiry and events. The *auth clock*
is real time plus ``skew`` and judges signatures, because real clients sign with
real time: moving the sandbox clock never breaks a client. The sandbox clock runs on
monotonic time: setting the machine's clock does not move it.
"""

import copy
import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Self

from msgspec import Struct

from mockserver.errors import SettingError
from mockserver.model.times import CENTURY

RATE_MAX = 1_000_000
REAL = Fraction(1)  # the rate of real time; compared by identity, which is fast
END = 253_402_300_799 * 1_000_000_000  # the last second of the year 9999: the clock stops


def never_backwards(real: Callable[[], int]) -> Callable[[], int]:
    """Returns monotonic time made of real time, in nanoseconds: it stops while ``real`` goes back.

    It is a closure because an instance with ``__call__`` takes many more instructions.
    """
    lock = threading.Lock()
    last = monotonic = real()

    def read() -> int:
        nonlocal last, monotonic
        with lock:
            now = real()
            if now > last:
                monotonic += now - last
            last = now
            return monotonic

    return read


class ClockState(Struct, frozen=True, forbid_unknown_fields=True):
    """Both clocks at one moment: ``then`` plus ``passed`` times ``rate`` is the sandbox time.

    Times are nanoseconds; ``rate`` is a number or a fraction, as in ``1/3``.
    """

    then: int
    passed: int
    rate: str
    frozen: bool
    skew: int


class Clock:
    """Both clocks, driven by ``real`` and ``monotonic``, which return nanoseconds.

    The auth clock follows ``auth``, which is ``real`` if it is left out.
    """

    def __init__(
        self,
        real: Callable[[], int],
        monotonic: Callable[[], int] | None = None,
        auth: Callable[[], int] | None = None,
    ) -> None:
        self.real = real
        self.auth = auth or real
        self.monotonic = monotonic or never_backwards(real)
        self._anchor = self.monotonic()
        self._then = real()
        self.rate = REAL
        self.frozen = False
        self.skew = 0

    def read(self) -> tuple[int, int, int]:
        """Returns sandbox time, auth time and monotonic time, all of one moment."""
        monotonic = self.monotonic()
        now = self._then + monotonic - self._anchor
        if self.frozen or self.rate is not REAL or now > END:
            now = self._at(monotonic)
        return now, self.auth() + self.skew, monotonic

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
        """Moves the clock forward; raises SettingError for a duration below 0 or over 100 years."""
        if not 0 <= duration <= CENTURY:
            raise SettingError("advance takes a duration between 0 and 100 years")
        self._rebase()
        self._move_to(self._then + duration)

    def freeze(self, frozen: bool = True) -> None:
        """Stops the clock, or starts it again from where it stopped."""
        self._rebase()
        self.frozen = frozen

    def set(self, now: int) -> None:
        """Sets the clock forward to ``now``; raises SettingError for an earlier time."""
        self._rebase()
        if not 0 <= now - self._then <= CENTURY:
            raise SettingError("the clock is never set backwards, nor 100 years ahead")
        self._move_to(now)

    def run_at(self, rate: Fraction | int) -> None:
        """Runs the clock ``rate`` times as fast as real time; raises ValueError."""
        if not 0 < rate <= RATE_MAX:
            raise SettingError(f"rate must lie above 0, up to {RATE_MAX}")
        self._rebase()
        self.rate = Fraction(rate) if rate != 1 else REAL

    def skew_by(self, duration: int) -> None:
        """Sets the difference of the auth clock to real time, at most 100 years.

        Raises SettingError.
        """
        if abs(duration) > CENTURY:
            raise SettingError("skew takes a duration of at most 100 years, either way")
        self.skew = duration

    def skewed(self, duration: int) -> Self:
        """Returns the same clock with another skew; raises SettingError."""
        clock = copy.copy(self)
        clock.skew_by(duration)
        return clock

    def state(self) -> ClockState:
        """Returns the state of both clocks now."""
        passed = self.monotonic() - self._anchor
        return ClockState(self._then, passed, str(self.rate), self.frozen, self.skew)

    def restore(self, state: ClockState) -> None:
        """Goes on from a state."""
        self._then, self._anchor = state.then, self.monotonic() - state.passed
        self.rate = REAL if state.rate == "1" else Fraction(state.rate)
        self.frozen, self.skew = state.frozen, state.skew

    def driven_by(self, real: Callable[[], int], monotonic: Callable[[], int]) -> Self:
        """Returns the same clock with other sources of real and monotonic time."""
        clock = copy.copy(self)
        clock.real = clock.auth = real
        clock.monotonic = monotonic
        return clock

    def skew_to(self, instant: int) -> None:
        """Sets the auth clock to an instant, from which it runs on; raises SettingError."""
        self.skew_by(instant - self.auth())

    def _move_to(self, now: int) -> None:
        if now > END:
            raise SettingError("the clock ends with the year 9999")
        self._then = now

    def _rebase(self) -> None:
        """Measures passed time from this moment on."""
        monotonic = self.monotonic()
        self._then, self._anchor = self._at(monotonic), monotonic
