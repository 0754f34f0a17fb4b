"""Sends nothing for so long, then closes."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.script import End, Script, Wait

TAKES = takes.time


def deliver(script: Script, duration: Any, chance: Chance) -> Script:
    """Waits in the answer's place."""
    return [Wait(duration), End()]
