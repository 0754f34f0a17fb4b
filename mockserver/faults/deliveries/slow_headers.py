"""Sends the head byte by byte, over so many seconds."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import Script, SendStep, Step, WaitStep, heads, least, pieces
from mockserver.model.durations import MILLISECOND

parse = takes.time

LATE = 1


def deliver(script: Script, duration: Any, chance: Chance) -> Script:
    """Cuts the head into bytes, with a wait before each.

    No wait is shorter than a millisecond: where a byte's would be, several go at once.
    """
    total = sum(len(step.data) for step in heads(script) if isinstance(step, SendStep))
    size = least(script, -(-total // max(duration // MILLISECOND, 1)))
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep) and step.head:
            for piece in pieces(step.data, size):
                steps += [WaitStep(duration * len(piece) // total), SendStep(piece, head=True)]
        else:
            steps.append(step)
    return steps
