"""Sends the body in chunks, the second of which has no length, then closes."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import LENGTH, CloseStep, Script, SendStep, body, heads, with_head

parse = takes.yes

CHUNKED = b"\r\ntransfer-encoding: chunked"


def deliver(script: Script, given: Any, chance: Chance) -> Script:
    """Announces chunks, sends a good one of half the body and then one that is none."""
    data = body(script)
    if not data:  # as behind a HEAD or a 204: there chunks would begin the next answer
        return [*script, CloseStep()]
    half = data[: max(len(data) // 2, 1)]
    chunks = b"%x\r\n%b\r\nzz\r\n%b\r\n" % (len(half), half, data[len(half) :])
    announced = with_head(script, lambda head: LENGTH.sub(CHUNKED, head, count=1))
    return [*heads(announced), SendStep(chunks), CloseStep()]
