"""Puts a byte that UTF-8 never has into the first text of the body."""

from typing import Any

from mockserver.engine.faults import takes
from mockserver.engine.faults.chance import Chance
from mockserver.engine.faults.good import Good

TAKES = takes.yes
BYTES = True


def hurt(good: Good, given: Any, chance: Chance, memory: dict[Any, Any]) -> None:
    """Adds the byte behind the first quote."""
    before, quote, after = good.body.partition(b'"')
    good.body = before + quote + b"\xff" + after
