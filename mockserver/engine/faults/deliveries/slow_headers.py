"""Sends the head byte by byte, over so many seconds."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.script import Script, Send, Step, Wait, pieces

TAKES = takes.time

LATE = 1


def deliver(script: Script, duration: Any, chance: Chance) -> Script:
    """Cuts the head into bytes, with a wait before each."""
    steps: list[Step] = []
    for step in script:
        if isinstance(step, Send) and step.head:
            wait = Wait(duration // max(len(step.data), 1))
            for byte in pieces(step.data, 1):
                steps += [wait, Send(byte, head=True)]
        else:
            steps.append(step)
    return steps
