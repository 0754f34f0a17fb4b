"""A sandbox's two clocks against a line through what is known: a moment, and a rate since then.

The model counts in fractions, the server in whole nanoseconds, rounded down where the line
bends: so it may lag behind by less than a nanosecond for each bend, and never leads.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from contract_tests.machines.bench import MILLISECOND, PLAN, SECOND, START
from mockserver import HandClock, MockServer, control, errors
from mockserver.model import times

HOUR = 3600 * SECOND
CENTURY = 876_000 * HOUR
END = 253_402_300_799 * SECOND  # the last second of the year 9999

CLOCK = "/sandboxes/default/clock"
UNITS = {"ms": MILLISECOND, "s": SECOND, "h": HOUR}


def long(text: str) -> int:
    """Reads a duration."""
    unit = text.lstrip("-0123456789")
    return int(text.removesuffix(unit)) * UNITS[unit]


class Refused(Exception):
    """What is wished for cannot be."""


def check(good: bool) -> None:
    if not good:
        raise Refused


@dataclass(frozen=True)
class Line:
    """The sandbox clock since its last bend, and how far the auth clock is off real time."""

    real: int
    then: Fraction
    rate: Fraction = Fraction(1)
    frozen: bool = False
    skew: int = 0

    def at(self, real: int) -> Fraction:
        passed = 0 if self.frozen else (real - self.real) * self.rate
        return min(self.then + passed, Fraction(END))

    def set(self, moment: int) -> "Line":
        check(0 <= moment - floor(self.then) <= CENTURY)
        return replace(self, then=Fraction(moment))

    def advance(self, text: str) -> "Line":
        check(0 <= long(text) <= CENTURY and self.then + long(text) <= END)
        return replace(self, then=self.then + long(text))

    def run_at(self, rate: Any) -> "Line":
        check(rate in RATES)
        return replace(self, rate=Fraction(RATES[rate]))

    def freeze(self, frozen: bool) -> "Line":
        return replace(self, frozen=frozen)

    def skew_by(self, text: str) -> "Line":
        check(abs(long(text)) <= CENTURY)
        return replace(self, skew=long(text))


RATES = {1: 1, 60: 60, 0.5: "1/2", 0.7: "7/10", 1 / 3: "1/3", 1e6: 10**6, 1e-6: "1/1000000"}
BAD_RATES = (0, -1, 1_000_001, float("nan"), float("inf"))

# What may be asked for, in the order in which it is done. A moment is written as its distance from now.
MOVES: dict[str, tuple[Callable[[Line, Any], Line], list[Any]]] = {
    "set": (Line.set, [0, 1, MILLISECOND, HOUR, CENTURY - SECOND, CENTURY + SECOND, -MILLISECOND]),
    "advance": (Line.advance, ["0s", "1ms", "61s", "2h", "876000h", "876001h", "-1ms"]),
    "rate": (Line.run_at, [*RATES, *BAD_RATES]),
    "freeze": (Line.freeze, [True, False, False]),
    "skew": (Line.skew_by, ["0s", "-400s", "250ms", "876000h", "-876000h", "-876001h"]),
}
EACH = {name: st.sampled_from(choices) for name, (_, choices) in MOVES.items()}
WISHES = st.one_of(
    *(st.fixed_dictionaries({name: choice}) for name, choice in EACH.items()),
    st.fixed_dictionaries({}, optional=EACH).filter(bool),
)


class Clocks(RuleBasedStateMachine):
    @initialize(start=st.sampled_from([START, START, 0, END - HOUR]))
    def a_sandbox_is_made(self, start: int) -> None:
        self.real = HandClock(start)
        self.server = MockServer(real=self.real)
        self.forget()

    def forget(self) -> None:
        self.line = Line(self.real.now, Fraction(self.real.now))
        self.bends, self.last = 0, min(self.real.now, END)

    @rule(span=st.sampled_from([1, 999, MILLISECOND, 1_000_003, SECOND, HOUR]))
    def real_time_passes(self, span: int) -> None:
        self.real.now += span

    @rule(wish=WISHES)
    def it_is_moved(self, wish: dict[str, Any]) -> None:
        """Asks for one thing or several at once: they are done together or not at all."""
        real = self.real.now
        line = replace(self.line, real=real, then=self.line.at(real))
        body = dict(wish)
        if "set" in wish:
            at = min(floor(line.then) + wish["set"], END)
            wish, body = wish | {"set": at}, wish | {"set": times.instant_text(at)}
        try:
            for name, (move, _) in MOVES.items():
                line = move(line, wish[name]) if name in wish else line
        except Refused:
            with pytest.raises(errors.ControlError):
                control.call(self.server.app, "POST", CLOCK, body)
            return
        clock = control.call(self.server.app, "POST", CLOCK, body)
        self.line, self.bends = line, self.bends + len(wish)
        assert clock == control.call(self.server.app, "GET", CLOCK)

    @rule()
    def everything_is_reset(self) -> None:
        self.server.reset()
        self.forget()

    @invariant()
    def both_clocks_are_where_the_line_is(self) -> None:
        _, clock = control.call(self.server.app, "GET", CLOCK)
        now, line = times.parse_instant(clock["now"]), self.line
        assert 0 <= line.at(self.real.now) - now < self.bends + 1
        assert now >= self.last, "never back"
        self.last = now
        auth_now = self.real.now + line.skew
        assert auth_now > END or times.parse_instant(clock["auth_now"]) == auth_now
        assert (clock["frozen"], long(clock["skew"])) == (line.frozen, line.skew)
        assert clock["rate"] == float(line.rate)


def test_a_clock_moves_along_its_line() -> None:
    run_state_machine_as_test(Clocks, settings=PLAN)
