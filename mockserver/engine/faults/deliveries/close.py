"""Closes the connection without an answer."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.script import End, Script

TAKES = takes.yes


def deliver(script: Script, given: Any, chance: Chance) -> Script:
    """Sends nothing."""
    return [End()]
