"""A sandbox's clocks: shown and moved."""

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mockserver.control.routes import ControlCall, ControlError
from mockserver.engine.clock import Clock
from mockserver.model import times

HINT = "see the table of what moves time"


class ClockChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done to a clock; one or more at once."""

    advance: str | int | float | None = None
    freeze: bool | None = None
    set: str | None = None
    rate: float | None = None
    skew: str | int | float | None = None


def show(call: ControlCall) -> dict[str, Any]:
    """Tells both times."""
    sandbox = call.sandbox
    with sandbox.lock:
        clock = sandbox.clock
        now, auth_now, _ = clock.read()
        return {
            "now": times.instant_text(now),
            "frozen": clock.frozen,
            "rate": float(clock.rate),
            "auth_now": times.instant_text(auth_now),
            "skew": times.duration_text(clock.skew),
        }


def move(call: ControlCall) -> dict[str, Any]:
    """Moves a clock, and lets happen what is due then."""
    wish: ClockChange = call.body
    if wish == ClockChange():
        raise ControlError(400, "nothing to do", hint="give advance, freeze, set, rate or skew")
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.replace_clock(_moved(sandbox.clock, wish))
        sandbox.run_due_events()
    return show(call)


def _rate(rate: float) -> Fraction:
    if not math.isfinite(rate):
        raise ValueError("rate is a number")
    return Fraction(rate).limit_denominator(1_000_000)


# In the order in which they happen: how each is read, and done.
MOVES: dict[str, tuple[Callable[[Any], Any], Callable[[Clock, Any], None]]] = {
    "set": (times.parse_instant, Clock.set),
    "advance": (times.parse_duration, Clock.advance),
    "rate": (_rate, Clock.run_at),
    "freeze": (bool, Clock.freeze),
    "skew": (times.parse_duration, Clock.skew_by),
}


def _moved(clock: Clock, wish: ClockChange) -> Clock:
    """Returns a clock that was moved; raises Refused."""
    moved = copy.copy(clock)
    for name, (read, move) in MOVES.items():
        value = getattr(wish, name)
        if value is None:
            continue
        try:
            move(moved, read(value))
        except ValueError as error:
            raise ControlError(400, str(error), f"$.{name}", HINT) from None
    return moved
