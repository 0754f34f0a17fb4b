"""Closes the connection without an answer."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import CloseStep, Script

parse = takes.yes


def deliver(script: Script, given: Any, chance: Chance) -> Script:
    """Sends nothing."""
    return [CloseStep()]
