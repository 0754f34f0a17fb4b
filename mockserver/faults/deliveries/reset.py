"""Resets the connection, before the answer or in the middle of its body."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import CloseStep, Script, WaitStep, body, cut
from mockserver.model.durations import MILLISECOND

parse = takes.one_of("before", "body")

# A reset discards what is still on its way: half an answer gets time to arrive.
ARRIVAL = 20 * MILLISECOND


def deliver(script: Script, where: Any, chance: Chance) -> Script:
    """Ends the script by a reset."""
    reset = CloseStep(reset=True)
    if where == "before":
        return [reset]
    *sent, end = cut(script, len(body(script)) // 2, reset)
    return [*sent, WaitStep(ARRIVAL), end]
