"""A sandbox's clocks: shown and moved."""

import math
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mockserver.edge.control.verb import Call, Refused
from mockserver.wire import duration, moment


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
        sandbox.clock.move(
            advance=_read(duration.nanoseconds, wish.advance, "advance"),
            freeze=wish.freeze,
            set=_read(moment.parse, wish.set, "set"),
            rate=_read(_rate, wish.rate, "rate"),
            skew=_read(duration.nanoseconds, wish.skew, "skew"),
        )
        sandbox.settle()
    return show(call)


def _rate(rate: float) -> Fraction:
    if not math.isfinite(rate):
        raise ValueError("rate is a number")
    return Fraction(rate).limit_denominator(1_000_000)


def _read(parse: Any, value: Any, name: str) -> Any:
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise Refused(400, str(error), f"$.{name}", "see the table of what moves time") from None
