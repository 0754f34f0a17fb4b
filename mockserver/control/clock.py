"""A sandbox's clocks: shown and moved."""

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mockserver.control.routes import Call, Refused
from mockserver.engine.clock import Clock
from mockserver.model import durations as duration
from mockserver.model import instants as moment

HINT = "see the table of what moves time"


class Motion(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done to a clock; one or more at once."""

    advance: str | int | float | None = None
    freeze: bool | None = None
    set: str | None = None
    rate: float | None = None
    skew: str | int | float | None = None


def show(call: Call) -> dict[str, Any]:
    """Tells both times."""
    sandbox = call.sandbox
    with sandbox.lock:
        clock = sandbox.clock
        now, auth_now, _ = clock.read()
        return {
            "now": moment.show(now),
            "frozen": clock.frozen,
            "rate": float(clock.rate),
            "auth_now": moment.show(auth_now),
            "skew": duration.text(clock.skew),
        }


def move(call: Call) -> dict[str, Any]:
    """Moves a clock, and lets happen what is due then."""
    wish: Motion = call.body
    if wish == Motion():
        raise Refused(400, "nothing to do", hint="give advance, freeze, set, rate or skew")
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.put_clock(_moved(sandbox.clock, wish))
        sandbox.settle()
    return show(call)


def _rate(rate: float) -> Fraction:
    if not math.isfinite(rate):
        raise ValueError("rate is a number")
    return Fraction(rate).limit_denominator(1_000_000)


# In the order in which they happen: how each is read, and done.
MOVES: dict[str, tuple[Callable[[Any], Any], Callable[[Clock, Any], None]]] = {
    "set": (moment.parse, Clock.set),
    "advance": (duration.nanoseconds, Clock.advance),
    "rate": (_rate, Clock.run_at),
    "freeze": (bool, Clock.freeze),
    "skew": (duration.nanoseconds, Clock.skew_by),
}


def _moved(clock: Clock, wish: Motion) -> Clock:
    """Returns a clock that was moved; raises Refused."""
    moved = copy.copy(clock)
    for name, (read, move) in MOVES.items():
        value = getattr(wish, name)
        if value is None:
            continue
        try:
            move(moved, read(value))
        except ValueError as error:
            raise Refused(400, str(error), f"$.{name}", HINT) from None
    return moved
