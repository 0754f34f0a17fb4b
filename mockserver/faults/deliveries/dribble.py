"""Sends the body in small pieces, with a pause behind each."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import Script, SendStep, Step, WaitStep, least, pieces


def _read(given: Any) -> tuple[int, int]:
    size, every = takes.members(given, "bytes", "every")
    return takes.whole(1, 1 << 20)(size), takes.time(every)


parse = _read

LATE = 1


def deliver(script: Script, given: tuple[int, int], chance: Chance) -> Script:
    """Cuts what is sent of the body."""
    size, every = given
    size = least(script, size)
    steps: list[Step] = []
    for step in script:
        if isinstance(step, SendStep) and not step.head:
            for piece in pieces(step.data, size):
                steps += [SendStep(piece), WaitStep(every)]
        else:
            steps.append(step)
    return steps
