"""A sandbox's clocks: shown and moved."""

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mockserver.edge.control.verb import Call, Refused
from mockserver.engine.clock import Clock
from mockserver.wire import duration, moment

END = moment.LAST * duration.SECOND
HINT = "see the table of what moves time"


class Motion(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done to a clock; one or more at once."""

    advance: str | None = None
    freeze: bool | None = None
    set: str | None = None
    rate: float | None = None
    skew: str | None = None


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
        moved = copy.copy(sandbox.clock)
        for name, parse in READ.items():
            _move(moved, name, parse, getattr(wish, name))
        sandbox.clock = moved
        sandbox.settle()
    return show(call)


def _rate(rate: float) -> Fraction:
    if not math.isfinite(rate):
        raise ValueError("rate is a number")
    return Fraction(rate).limit_denominator(1_000_000)


# In the order in which they happen.
READ: dict[str, Callable[[Any], Any]] = {
    "set": moment.parse,
    "advance": duration.nanoseconds,
    "rate": _rate,
    "freeze": bool,
    "skew": duration.nanoseconds,
}


def _move(clock: Clock, name: str, parse: Callable[[Any], Any], value: Any) -> None:
    if value is None:
        return
    try:
        clock.move(**{name: parse(value)})
    except ValueError as error:
        raise Refused(400, str(error), f"$.{name}", HINT) from None
    if clock.now() > END:
        raise Refused(400, "the clock ends with the year 9999", f"$.{name}", HINT)
