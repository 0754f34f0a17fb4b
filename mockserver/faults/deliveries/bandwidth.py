"""Sends the answer, head and all, at so many bytes a second."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import Script, SendStep, Step, WaitStep, least, pieces
from mockserver.model.durations import SECOND

parse = takes.whole(1, 1 << 30)

LATE = 1
TICKS = 20  # pieces a second


def deliver(script: Script, rate: Any, chance: Chance) -> Script:
    """Cuts what is sent, and waits behind each piece for as long as it takes."""
    size = least(script, max(rate // TICKS, 1))
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep):
            for piece in pieces(step.data, size):
                steps += [SendStep(piece, step.head), WaitStep(len(piece) * SECOND // rate)]
        else:
            steps.append(step)
    return steps
