"""Sends the first part of the body, then closes."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import CloseStep, Script, body, cut

parse = takes.fraction


def deliver(script: Script, part: Any, chance: Chance) -> Script:
    """Ends the script within the body."""
    return cut(script, int(len(body(script)) * part), CloseStep())
