"""Shows and changes a sandbox's clocks."""

import copy
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from msgspec import Struct

from mockserver.control.routes import ControlCall
from mockserver.engine.clock import Clock
from mockserver.errors import InvalidCall
from mockserver.model import times

NAMES = "advance, freeze, set, rate, skew or auth_time"
HINT = "see docs/guides/time.md"


class ClockChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Changes of the clocks; one or more at once.

    ``advance`` and ``skew`` are durations, ``set`` and ``auth_time`` are instants, ``rate`` is a
    factor of real time. ``auth_time`` sets the auth clock, which runs on from there.
    """

    advance: str | int | float | None = None
    freeze: bool | None = None
    set: str | None = None
    rate: float | None = None
    skew: str | int | float | None = None
    auth_time: str | None = None


def show(call: ControlCall) -> dict[str, Any]:
    """Returns the time of both clocks, and how they run."""
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


def change(call: ControlCall) -> dict[str, Any]:
    """Changes the clocks and runs the events that are due then; all changes or none."""
    changes: ClockChange = call.body
    if changes == ClockChange():
        raise InvalidCall("nothing to do", hint=f"give {NAMES}")
    if changes.skew is not None and changes.auth_time is not None:
        raise InvalidCall("skew and auth_time both set the auth clock", "$.auth_time", "give one")
    sandbox = call.sandbox
    with sandbox.lock:
        sandbox.replace_clock(_changed(sandbox.clock, changes))
        sandbox.run_due_events()
    return show(call)


def _parse_rate(rate: float) -> Fraction:
    if not math.isfinite(rate):
        raise ValueError("rate is a number")
    return Fraction(rate).limit_denominator(1_000_000)


# In the order in which they are made: how each is parsed, and how it is applied.
CHANGES: dict[str, tuple[Callable[[Any], Any], Callable[[Clock, Any], None]]] = {
    "set": (times.parse_instant, Clock.set),
    "advance": (times.parse_duration, Clock.advance),
    "rate": (_parse_rate, Clock.run_at),
    "freeze": (bool, Clock.freeze),
    "skew": (times.parse_duration, Clock.skew_by),
    "auth_time": (times.parse_instant, Clock.skew_to),
}


def _changed(clock: Clock, changes: ClockChange) -> Clock:
    """Returns a changed copy of a clock; raises InvalidCall."""
    changed = copy.copy(clock)
    for name, (parse, apply) in CHANGES.items():
        value = getattr(changes, name)
        if value is None:
            continue
        try:
            apply(changed, parse(value))
        except ValueError as error:
            raise InvalidCall(str(error), f"$.{name}", HINT) from None
    return changed
