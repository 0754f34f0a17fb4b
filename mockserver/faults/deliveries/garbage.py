"""Sends so many bytes that are no HTTP, then closes."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.script import CloseStep, Script, SendStep

parse = takes.whole(1, 1 << 20)


def deliver(script: Script, size: Any, chance: Chance) -> Script:
    """Sends noise in the answer's place; its first byte begins no status line."""
    noise = b"\x00" + chance.noise(size, "garbage")[1:]
    return [SendStep(noise), CloseStep()]
