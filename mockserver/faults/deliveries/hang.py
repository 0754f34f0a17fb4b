"""Sends nothing for so long, then closes."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import CloseStep, Script, WaitStep

parse = takes.time


def deliver(script: Script, duration: Any, chance: Chance) -> Script:
    """Waits in the answer's place."""
    return [WaitStep(duration), CloseStep()]
