"""Puts a byte that UTF-8 never has into the first text of the body."""

from typing import Any

from mockserver.faults import parameters as takes
from mockserver.faults.chance import Chance
from mockserver.faults.response_body import MutableResponse

parse = takes.yes
BYTES = True


def mutate(good: MutableResponse, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Adds the byte behind the first quote."""
    before, quote, after = good.body.partition(b'"')
    good.body = before + quote + b"\xff" + after
