"""Deliveries: ways to send a response. The request has taken effect before any of them.

Each takes the script of the response, the parsed value from the rule, and the random draws of
this match, and returns the script to play instead.
"""

import math
import re
from typing import Any

from mockserver.faults import parameters
from mockserver.faults.chance import Chance
from mockserver.faults.kinds import DELIVERIES, Decorator, register
from mockserver.faults.script import (
    CONTENT_LENGTH,
    CloseStep,
    Script,
    SendStep,
    Step,
    WaitStep,
    body,
    cut_body,
    head_steps,
    piece_size,
    pieces,
    with_head,
)
from mockserver.model.times import MILLISECOND, SECOND

PACED, LAST = 1, 2  # order: pacing applies to what the other deliveries leave; delays come last

PIECES_PER_SECOND = 20  # of a limited bandwidth
RESET_AFTER = 20 * MILLISECOND  # a reset discards bytes in flight: half a body gets time to arrive
CHUNKED = b"\r\ntransfer-encoding: chunked"
SIGMA_MAX = 5
LENGTH_DIFFERENCE_MAX = 1_000_000
LENGTH_DIFFERENCE = re.compile(r"[+-][0-9]{1,7}")


def delivery(parse: Any, order: int = 0) -> Decorator:
    """Registers the decorated function as a delivery; its name is the keyword in a rule."""
    return register(DELIVERIES, parse, order)


# Deliveries that end the connection


@delivery(parameters.true)
def close(script: Script, value: Any, chance: Chance) -> Script:
    """Closes the connection without a response."""
    return [CloseStep()]


@delivery(parameters.duration)
def hang(script: Script, duration: Any, chance: Chance) -> Script:
    """Sends nothing for a time, then closes."""
    return [WaitStep(duration), CloseStep()]


@delivery(parameters.one_of("before", "body"))
def reset(script: Script, where: Any, chance: Chance) -> Script:
    """Resets the connection: `before` the response, or within its `body`."""
    end = CloseStep(reset=True)
    if where == "before":
        return [end]
    half = cut_body(script, len(body(script)) // 2, end)
    return [*half[:-1], WaitStep(RESET_AFTER), end]


@delivery(parameters.fraction)
def cut(script: Script, part: Any, chance: Chance) -> Script:
    """Sends the first part of the body, then closes."""
    return cut_body(script, int(len(body(script)) * part), CloseStep())


@delivery(parameters.integer(1, 1 << 20))
def garbage(script: Script, size: Any, chance: Chance) -> Script:
    """Sends bytes that are not HTTP, then closes."""
    noise = b"\x00" + chance.noise(size, "garbage")[1:]  # no status line begins with NUL
    return [SendStep(noise), CloseStep()]


@parameters.takes(type=["string", "integer"], pattern=LENGTH_DIFFERENCE.pattern, examples=["+10"])
def _length_difference(value: Any) -> int:
    if isinstance(value, str) and LENGTH_DIFFERENCE.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 < abs(value) <= LENGTH_DIFFERENCE_MAX:
        raise ValueError(f"takes +n or -n, n from 1 to {LENGTH_DIFFERENCE_MAX}")
    return value


@delivery(_length_difference)
def wrong_length(script: Script, difference: Any, chance: Chance) -> Script:
    """Announces a body longer or shorter than the one that follows, then closes."""

    def announce(header: re.Match[bytes]) -> bytes:
        return header[1] + b"%d" % max(int(header[2]) + difference, 0)

    return [
        *with_head(script, lambda head: CONTENT_LENGTH.sub(announce, head, count=1)),
        CloseStep(),
    ]


@delivery(parameters.true)
def malformed_chunk(script: Script, value: Any, chance: Chance) -> Script:
    """Sends the body in chunks, the second of which has no length, then closes."""
    data = body(script)
    if not data:  # after a HEAD or a 204, chunks would be taken for the next response
        return [*script, CloseStep()]
    half = data[: max(len(data) // 2, 1)]
    chunks = b"%x\r\n%b\r\nzz\r\n%b\r\n" % (len(half), half, data[len(half) :])
    chunked = with_head(script, lambda head: CONTENT_LENGTH.sub(CHUNKED, head, count=1))
    return [*head_steps(chunked), SendStep(chunks), CloseStep()]


# Deliveries that only take time


@parameters.takes(type="object", examples=[{"bytes": 64, "every": "50ms"}])
def _bytes_and_pause(value: Any) -> tuple[int, int]:
    size, pause = parameters.members(value, "bytes", "every")
    return parameters.integer(1, 1 << 20)(size), parameters.duration(pause)


@delivery(_bytes_and_pause, PACED)
def dribble(script: Script, value: tuple[int, int], chance: Chance) -> Script:
    """Sends the body in small pieces, with a pause behind each."""
    size, pause = value
    size = piece_size(script, size)
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep) and not step.head:
            for piece in pieces(step.data, size):
                steps += [SendStep(piece), WaitStep(pause)]
        else:
            steps.append(step)
    return steps


@delivery(parameters.integer(1, 1 << 30), PACED)
def bandwidth(script: Script, rate: Any, chance: Chance) -> Script:
    """Sends the response, head included, at a number of bytes per second."""
    size = piece_size(script, max(rate // PIECES_PER_SECOND, 1))
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep):
            for piece in pieces(step.data, size):
                steps += [SendStep(piece, step.head), WaitStep(len(piece) * SECOND // rate)]
        else:
            steps.append(step)
    return steps


@delivery(parameters.duration, PACED)
def slow_headers(script: Script, duration: Any, chance: Chance) -> Script:
    """Sends the head byte by byte, over a number of seconds.

    No pause is shorter than a millisecond: where it would be, several bytes go at once.
    """
    total = sum(len(step.data) for step in head_steps(script) if isinstance(step, SendStep))
    size = piece_size(script, -(-total // max(duration // MILLISECOND, 1)))
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep) and step.head:
            for piece in pieces(step.data, size):
                steps += [WaitStep(duration * len(piece) // total), SendStep(piece, head=True)]
        else:
            steps.append(step)
    return steps


@parameters.takes(
    type=["string", "number", "object"],
    format="duration",
    examples=[
        "250ms",
        {"uniform": ["100ms", "2s"]},
        {"lognormal": {"median": "200ms", "sigma": 0.5}},
    ],
)
def _delay(value: Any) -> tuple[str, int, float]:
    """Reads ``250ms``, ``{uniform: [a, b]}`` or ``{lognormal: {median, sigma}}``."""
    if not isinstance(value, dict):
        return "fixed", parameters.duration(value), 0
    if "uniform" in value:
        [ends] = parameters.members(value, "uniform")
        if not isinstance(ends, list) or len(ends) != 2:
            raise ValueError("uniform takes [shortest, longest]")
        shortest, longest = map(parameters.duration, ends)
        if shortest > longest:
            raise ValueError("uniform takes [shortest, longest], in this order")
        return "uniform", shortest, longest
    [distribution] = parameters.members(value, "lognormal")
    median, sigma = parameters.members(distribution, "median", "sigma")
    if type(sigma) not in (int, float) or not 0 <= sigma <= SIGMA_MAX:
        raise ValueError(f"sigma is a number from 0 to {SIGMA_MAX}")
    return "lognormal", parameters.duration(median), sigma


@delivery(_delay, LAST)
def delay(script: Script, value: tuple[str, int, float], chance: Chance) -> Script:
    """Waits before the response, for a fixed or a random time."""
    return [WaitStep(_drawn_delay(value, chance)), *script]


def _drawn_delay(value: tuple[str, int, float], chance: Chance) -> int:
    distribution, base, spread = value
    drawn = chance.fraction("delay")
    if distribution == "uniform":
        return base + int(drawn * (spread - base))
    if distribution == "lognormal":
        radius = math.sqrt(-2 * math.log(1 - drawn))
        normal = radius * math.cos(2 * math.pi * chance.fraction("angle"))
        return min(int(base * math.exp(spread * normal)), parameters.HOUR)
    return base
