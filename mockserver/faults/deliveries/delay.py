"""Waits before the answer: for a fixed time, or one that is drawn."""

import math
from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import Script, WaitStep

SIGMA_MAX = 5


def _read(given: Any) -> tuple[str, int, float]:
    """Reads ``250ms``, ``{uniform: [a, b]}`` or ``{lognormal: {median, sigma}}``."""
    if not isinstance(given, dict):
        return "fixed", takes.time(given), 0
    if "uniform" in given:
        [ends] = takes.members(given, "uniform")
        if not isinstance(ends, list) or len(ends) != 2:
            raise ValueError("uniform takes [shortest, longest]")
        shortest, longest = map(takes.time, ends)
        if shortest > longest:
            raise ValueError("uniform takes [shortest, longest], in this order")
        return "uniform", shortest, longest
    [shape] = takes.members(given, "lognormal")
    median, sigma = takes.members(shape, "median", "sigma")
    if type(sigma) not in (int, float) or not 0 <= sigma <= SIGMA_MAX:
        raise ValueError(f"sigma is a number from 0 to {SIGMA_MAX}")
    return "lognormal", takes.time(median), sigma


parse = _read

LATE = 2


def deliver(script: Script, given: tuple[str, int, float], chance: Chance) -> Script:
    """Puts the wait in front."""
    return [WaitStep(_drawn(given, chance)), *script]


def _drawn(given: tuple[str, int, float], chance: Chance) -> int:
    kind, base, spread = given
    drawn = chance.fraction("delay")
    if kind == "uniform":
        return base + int(drawn * (spread - base))
    if kind == "lognormal":
        radius = math.sqrt(-2 * math.log(1 - drawn))
        normal = radius * math.cos(2 * math.pi * chance.fraction("angle"))
        return min(int(base * math.exp(spread * normal)), takes.HOUR)
    return base
